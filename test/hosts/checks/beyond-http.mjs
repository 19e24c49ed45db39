import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { visit } from '../support/browser.mjs';

const apps = join(import.meta.dirname, '../apps');
const checks = { iamPath: '/iam', guardedPath: '/orders', ownTable: 'migrations' };

/** The packages that a host has installed for its clients. */
const packagesOf = (host) => createRequire(join(host.folder, 'package.json'));
const besidePort = (host) => Number(new URL(host.url).port) - 20_000;

const refusal = (code) => ({ status: 'error', code });
const partOf = (answer) => ({ status: answer.data.status, code: answer.data.code });

/** Apollo on Express with subscriptions, a gateway of socket.io, and messages in one hybrid application. */
export const apolloSocketIo = {
  ...checks,
  async checkOwn(seen) {
    await checkGraphql(seen);
    await checkGateway(seen, bySocketIo);
    await checkMessages(seen);
  },
};

/** Mercurius on Fastify with subscriptions, and a gateway of `ws`; the rest is that of the other host. */
export const mercuriusWs = {
  ...checks,
  async prepare({ host }) {
    for (const file of ['orders', 'database', 'wechat', 'wechat-provider'])
      await cp(join(apps, `apollo-socket-io/src/${file}.ts`), join(host.folder, `src/${file}.ts`));
  },
  async checkOwn(seen) {
    await checkGraphql(seen);
    await checkGateway(seen, byWs);
  },
};

async function checkGraphql({ host, user, token }) {
  const ask = async (query, options) => {
    const { body } = await visit(`${host.url}/graphql`, { json: { query }, ...options });
    return { data: body.data, code: body.errors?.[0].extensions.code, message: body.errors?.[0].message };
  };
  assert.deepEqual((await ask('{ mine }', { token })).data, { mine: user.id });
  assert.deepEqual((await ask('{ mine anybody }', { token })).data, { mine: user.id, anybody: user.id });
  const stranger = await ask('{ mine }', { headers: { 'accept-language': 'zh-CN' } });
  assert.deepEqual(stranger, { data: null, code: 'authentication_required', message: '请先登录。' });
  assert.equal((await ask('mutation { refund }', { token })).code, 'insufficient_permissions');
  assert.deepEqual((await ask('{ anybody }')).data, { anybody: null });
  assert.equal((await ask('{ anybody }', { token: `${token}x` })).code, 'invalid_token');
  const ticks = (parameters) => subscribe(host, parameters);
  const authorization = `Bearer ${token}`;
  for (const parameters of [{ authorization }, { token }])
    assert.deepEqual(await ticks(parameters), { data: { ticks: user.id } });
  for (const parameters of [undefined, { token: `${token}x` }])
    assert.match(JSON.stringify(await ticks(parameters)), /"code":"(authentication_required|invalid_token)"/);
}

/** The first answer of a subscription: its data, or its errors. */
async function subscribe(host, connectionParams) {
  const load = packagesOf(host);
  const client = load('graphql-ws').createClient({
    url: `${host.url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: load('ws'),
    connectionParams,
    retryAttempts: 0,
  });
  try {
    return await new Promise((done) =>
      client.subscribe({ query: 'subscription { ticks }' }, { next: done, error: done, complete: done }),
    );
  } finally {
    await client.dispose();
  }
}

async function checkGateway({ host, user, token }, connect) {
  const lan = await connect(host, token);
  const stranger = await connect(host);
  assert.deepEqual(await lan.ask('mine'), { event: 'mine', data: user.id });
  assert.deepEqual(await lan.ask('anybody'), { event: 'anybody', data: user.id });
  assert.deepEqual(partOf(await stranger.ask('mine')), refusal('authentication_required'));
  assert.deepEqual(await stranger.ask('anybody'), { event: 'anybody', data: null });
  const broken = await connect(host, `${token}x`);
  assert.deepEqual(partOf(await broken.told), refusal('invalid_token'));
  for (const client of [lan, stranger, broken]) client.close();
}

/** A client whose `ask` sends a message and waits for the next one; `told` is the first. */
function toClient(receive, send, close) {
  let next = () => undefined;
  const told = new Promise((first) => (next = first));
  receive((message) => next(message));
  const ask = (event) =>
    new Promise((done) => {
      next = done;
      send(event);
    });
  return { ask, told, close };
}

async function bySocketIo(host, token) {
  const socket = packagesOf(host)('socket.io-client').io(host.url, {
    auth: token === undefined ? {} : { token },
    forceNew: true,
    reconnection: false,
    transports: ['websocket'],
  });
  const client = toClient(
    (take) => socket.onAny((event, data) => take({ event, data })),
    (event) => socket.emit(event, {}),
    () => socket.close(),
  );
  await new Promise((done, fail) => socket.on('connect', done).on('connect_error', fail));
  return client;
}

async function byWs(host, token) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const socket = new (packagesOf(host)('ws'))(`ws://localhost:${besidePort(host)}`, { headers });
  const client = toClient(
    (take) => socket.on('message', (text) => take(JSON.parse(text))),
    (event) => socket.send(JSON.stringify({ event, data: {} })),
    () => socket.close(),
  );
  await new Promise((done, fail) => socket.on('open', done).on('error', fail));
  return client;
}

async function checkMessages({ host }) {
  assert.deepEqual((await askByTcp(host, 'public')).response, 'public');
  const { err } = await askByTcp(host, 'guarded');
  assert.equal(err.code, 'authentication_required');
  assert.match(err.message, /finds no token in a message; @Public\(\) opens a handler/);
}

/** A request in the form of Nest's own transport over TCP. */
async function askByTcp(host, pattern) {
  const socket = connectTcp(besidePort(host), '127.0.0.1');
  const message = JSON.stringify({ pattern, data: {}, id: pattern });
  socket.write(`${message.length}#${message}`);
  const answer = await new Promise((done, fail) => socket.once('data', done).once('error', fail));
  socket.destroy();
  return JSON.parse(String(answer).replace(/^\d+#/, ''));
}
