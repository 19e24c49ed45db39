import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';

const worked = [];
const failed = [];
const broken = [];

async function ask(path, body) {
  const method = body === undefined ? 'GET' : 'POST';
  const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const response = await fetch(new URL(path, process.env.PEOPLE), init);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** The person of this run, with the apps of WeChat or the issuer. */
export const world = await ask('/');

/**
 * Opens a sign-in link on a `pc` or in `wechat` and returns the last page: `{ status, url, body }`. At the issuer it is one
 * browser, always the same; `scans` says how often WeChat's QR code was scanned, `consents` how often the person agreed.
 */
export const signIn = (on, url) => ask('/sign-in', { on, url });
/** Registers an application at the issuer: `{ client_id, client_secret }`. */
export const register = (members) => ask('/application', members);
/** Scans a QR code of the issuer's Official Account. */
export const scan = (content) => ask('/scan', { content });
/** How many requests have reached WeChat at the issuer's side. */
export const countWechatCalls = async () => (await ask('/wechat-calls')).count;
export const follow = () => ask('/follow', {});
export const wxLogin = () => ask('/wx-login', {});
export const phoneNumber = () => ask('/phone-number', {});

/** Submits a server URL, then follows, writes and unfollows in one mode. */
export const push = (url, mode) => ask('/push', { url, mode });

/** Runs one check and notes how it went. */
export async function check(what, work) {
  try {
    await work();
    worked.push(what);
  } catch (error) {
    failed.push({ what, why: error instanceof Error ? error.message : String(error) });
  }
}

/** Runs a check that this version of the client cannot pass anywhere; passing it is news and counts as a failure. */
export async function checkBroken(what, work) {
  try {
    await work();
    failed.push({ what, why: 'noted as broken in the client, but it works' });
  } catch (error) {
    broken.push({ what, why: error instanceof Error ? error.message : String(error) });
  }
}

/** Starts a server on a free port; where it is reached. */
export async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://localhost:${server.address().port}`;
}

/** A server on a free port that answers 200 everywhere; its origin, for redirect URIs that nothing has to answer. */
export const listenForBrowser = () => listen(createServer((_request, response) => response.end('arrived')));

/** Prints the outcome as the runner reads it, and ends. */
export async function report(client) {
  const { version } = JSON.parse(
    await readFile(new URL(`node_modules/${client}/package.json`, import.meta.url)),
  );
  console.log(JSON.stringify({ client, version, worked, failed, broken }));
  process.exit();
}
