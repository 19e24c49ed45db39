import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WechatEmulator } from '../../dist/emulator/index.js';
import { Workspace } from '../hosts/support/workspace.mjs';
import { clientsOf, languages } from './support/languages.mjs';
import { issuerActions, setIssuerStage, startIssuer } from './support/issuer.mjs';
import { servePeople, setStage, wechatActions } from './support/stage.mjs';
import { markdownTable } from './support/table.mjs';

/**
 * Installs other people's clients, unmodified and in pinned versions: those of WeChat sign somebody in or exchange pushes with
 * the emulator, those of OpenID Connect sign somebody in at this module. Arguments choose languages (`node`) or clients
 * (`node/openid-client`); all by default. Prints a table for each protocol and ends with one line.
 */
const asked = process.argv.slice(2);
const known = Object.entries(languages).flatMap(([name, language]) => [
  name,
  ...clientsOf(language).map(({ client }) => `${name}/${client}`),
]);
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`no such language or client: ${unknown.join(', ')} (there are ${known.join(', ')})`);
  process.exit(2);
}
const chosen = Object.entries(languages).filter(
  ([name]) => asked.length === 0 || asked.some((each) => each.split('/')[0] === name),
);

const isAsked = (language, client) =>
  asked.length === 0 || asked.includes(language) || asked.includes(`${language}/${client}`);

const workspace = await Workspace.open();
const interruption = new Promise((_done, fail) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => fail(new Error(`interrupted by ${signal}`)));
});

/** Where clients reach WeChat's hosts by name alone: port 443 of an address of this machine that nobody else uses. */
const quietAddress = '127.0.0.66';

/** An emulator on any port, or at `quietAddress` for languages whose clients cannot be led to another port. */
async function startWechat(language) {
  const where = language.ownPort === true ? {} : { host: quietAddress, port: 443 };
  const wechat = await WechatEmulator.start({ ...where, tls: {} });
  workspace.onClose(() => wechat.stop());
  return wechat;
}

let issuer;

/** The people of one client, and for one of OpenID Connect the module, which all of them share. */
async function setStageOf({ protocol }, wechat) {
  if (protocol === 'wechat') return servePeople(setStage(wechat), wechatActions);
  issuer ??= startIssuer(workspace);
  return servePeople(setIssuerStage(await issuer), issuerActions);
}

/** Runs the script of one client against a stage of its own; what it says of itself. */
async function tryClient(wechat, program) {
  const { name, run } = program;
  const people = await setStageOf(program, wechat);
  try {
    const output = await run({ PEOPLE: people.url });
    const line = output.trim().split('\n').at(-1) ?? '';
    return JSON.parse(line);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { client: name, version: '', worked: [], broken: [], failed: [{ what: 'the script', why }] };
  } finally {
    people.stop();
  }
}

function say({ client, version, worked, failed, broken }) {
  const verdict = failed.length === 0 ? 'ok' : 'not ok';
  console.log(`${verdict} ${client} ${version}: ${worked.length} worked, ${failed.length} failed`);
  for (const { what, why } of failed) console.error(`  failed: ${what}\n    ${why}`);
  for (const { what, why } of broken) console.log(`  broken in the client: ${what} (${why.split('\n')[0]})`);
}

function uninstalled(language, { client, protocol }) {
  const failed = [{ what: 'the installation', why: 'see above' }];
  return { language, protocol, client, version: '', worked: [], broken: [], failed };
}

async function tryLanguage(name, language) {
  const lack = await language.findLack(workspace);
  if (lack !== undefined) {
    console.log(`skipped ${name}: ${lack}`);
    return { results: [], skipped: clientsOf(language).length };
  }
  const started = performance.now();
  const wechat = await startWechat(language);
  const certificateAuthority = join(workspace.folder, `${name}-ca.pem`);
  await writeFile(certificateAuthority, wechat.certificateAuthority ?? '');
  const address = new URL(wechat.endpoints.api).host;
  const programs = await language.install({ workspace, certificateAuthority, address }).catch((error) => {
    console.error(error instanceof Error ? error.message : error);
    return undefined;
  });
  if (programs === undefined)
    return { results: clientsOf(language).map((client) => uninstalled(name, client)), skipped: 0 };
  console.log(`# ${name}: installed in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const results = [];
  for (const program of programs.filter((each) => isAsked(name, each.name))) {
    const { protocol } = program;
    const result = { language: name, protocol, ...(await tryClient(wechat, program)) };
    say(result);
    results.push(result);
  }
  await wechat.stop();
  return { results, skipped: 0 };
}

async function main() {
  const results = [];
  let skipped = 0;
  for (const [name, language] of chosen) {
    const tried = await tryLanguage(name, language);
    results.push(...tried.results);
    skipped += tried.skipped;
  }
  const failed = results.filter((result) => result.failed.length > 0).length;
  for (const protocol of ['wechat', 'openid']) {
    const rows = results.filter((each) => each.protocol === protocol);
    if (rows.length > 0) console.log(`\n${markdownTable(rows)}\n`);
  }
  return { passed: results.length - failed, failed, skipped };
}

const running = main();
let verdict = { passed: 0, failed: 1, skipped: 0 };
try {
  verdict = await Promise.race([running, interruption]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
} finally {
  await workspace.close();
  await Promise.allSettled([running]);
  await workspace.close();
}
const { passed, failed, skipped } = verdict;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(failed === 0 ? 0 : 1);
