import { createServer } from 'node:https';
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { z } from 'zod';
import { WechatError } from '../../src/wechat/wechat-error.js';
import { type WechatCallReport, WechatHttp, type WechatHttpOptions } from '../../src/wechat/wechat-http.js';
import { selfSigned } from './self-signed.js';
import { drip, drop, hang, json, portOf, raw, truncate, WechatStub } from './wechat-stub.js';

const path = '/sns/auth';
const planted = 'PLANTED-access-token';
const query = { access_token: planted, openid: 'o1' };
const anything = z.object({ openid: z.string() }).partial();

let stub: WechatStub;
const clients: WechatHttp[] = [];

function client(options: WechatHttpOptions = {}): WechatHttp {
  const http = new WechatHttp({
    endpoints: stub.endpoints,
    allowLoopback: true,
    timeoutMs: 5000,
    ...options,
  });
  clients.push(http);
  return http;
}

async function failureOf(promise: Promise<unknown>): Promise<WechatError> {
  const error: unknown = await promise.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  if (error instanceof WechatError) return error;
  throw error;
}

beforeEach(async () => {
  stub = await WechatStub.start();
});

afterEach(async () => {
  await stub.stop();
  await Promise.all(clients.splice(0).map((http) => http.close()));
});

describe('a call', () => {
  it.each([
    '@evil.example/x',
    '.evil.example/x',
    ':1@evil.example/x',
    'x',
    '',
    '/x?y=z',
    '/x#y',
    '/x\\y',
    '/x\n',
  ])('to the path %j leaves nowhere', async (stray) => {
    await expect(client().call({ path: stray, query }, anything)).rejects.toThrow(TypeError);
    expect(stub.calls).toEqual([]);
  });
});

describe('an answer of WeChat', () => {
  it.each([
    ['plain', '{"openid":"o1"}'],
    ['with errcode 0', '{"errcode":0,"errmsg":"ok","openid":"o1"}'],
    ['with a byte order mark', '\ufeff{"openid":"o1"}'],
    ['with a raw control character', '{"nickname":"a\u0001b\n","openid":"o1"}'],
    ['with an escaped slash', '{"u":"http:\\/\\/x","openid":"o1"}'],
  ])('is read: %s', async (_kind, body) => {
    stub.on(path, raw(body));

    await expect(client().call({ path, query }, anything)).resolves.toEqual({ openid: 'o1' });
  });

  it('is read as UTF-8 although no charset is named, and survives invalid bytes', async () => {
    const bytes = Buffer.concat([Buffer.from('{"nickname":"小兰🌏'), Buffer.from([0xff]), Buffer.from('"}')]);
    stub.on(path, raw(bytes));

    const answer = await client().call({ path, query }, z.object({ nickname: z.string() }));

    expect(answer.nickname).toBe('小兰🌏\ufffd');
  });

  it.each([
    ['an errcode', { errcode: 40003, errmsg: 'invalid openid' }, 'wechat_answer_invalid'],
    ['a numeric string', { errcode: '40029' }, 'wechat_code_invalid'],
    ['the string "0"', { errcode: '0', openid: 'o1' }, 'wechat_answer_invalid'],
    ['null', { errcode: null, openid: 'o1' }, 'wechat_answer_invalid'],
    ['an object', { errcode: {}, openid: 'o1' }, 'wechat_answer_invalid'],
    ['an unknown errcode', { errcode: 123456, openid: 'o1' }, 'wechat_answer_invalid'],
    ['a fraction', { errcode: 0.5, openid: 'o1' }, 'wechat_answer_invalid'],
    ['a wrong field', { openid: ['o1'] }, 'wechat_answer_invalid'],
  ])('is an error although HTTP says 200: %s', async (_kind, body, code) => {
    stub.on(path, json(body));

    expect(await failureOf(client().call({ path, query }, anything))).toMatchObject({ code });
  });

  it.each(['null', '[]', '"x"', '7', 'true'])('is refused when it is no object: %s', async (body) => {
    stub.on(path, raw(body));

    expect(await failureOf(client().call({ path, query }, anything))).toMatchObject({
      code: 'wechat_answer_invalid',
    });
  });

  it.each([
    'invalid code, rid: 60196b9b-4c5ba79c-066b49c8',
    'invalid code rid:  60196b9b-4c5ba79c-066b49c8',
    'invalid code rid:60196b9b-4c5ba79c-066b49c8 ',
  ])('finds the rid in %j', async (errmsg) => {
    stub.on(path, json({ errcode: 40029, errmsg }));

    expect(await failureOf(client().call({ path, query }, anything))).toMatchObject({
      rid: '60196b9b-4c5ba79c-066b49c8',
    });
  });

  it('keeps the rid and a refused address for the operator, and nothing else of errmsg', async () => {
    const errmsg = `invalid ip 118.190.42.90 ipv6 ::ffff:118.190.42.90, not in whitelist ${planted} rid: 60196b9b-4c5ba79c-066b49c8`;
    stub.on(path, json({ errcode: 40164, errmsg }));

    const error = await failureOf(client().call({ path, query }, anything));

    expect(error).toMatchObject({
      code: 'wechat_ip_not_allowed',
      action: 'config',
      errcode: 40164,
      rid: '60196b9b-4c5ba79c-066b49c8',
    });
    expect(error.detail).toBe(
      "/sns/auth: errcode 40164, add this server's address to the IP whitelist of the app: 118.190.42.90 (rid 60196b9b-4c5ba79c-066b49c8)",
    );
  });
});

describe('a fault on the wire', () => {
  it.each([
    ['no answer', hang],
    ['one byte now and then', drip],
    ['a dropped connection', drop],
    ['a body cut short', truncate],
    ['truncated JSON', raw('{"openid":"o1"')],
    ['an empty body', raw('')],
    ['HTML', raw('<html>502</html>', 502)],
    ['HTML with 200', raw('<html>maintenance</html>')],
    ['a 500', raw('{"openid":"o1"}', 500)],
    ['a redirect', (response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end()],
  ] satisfies [string, ReturnType<typeof raw>][])(
    'is a typed error within the deadline: %s',
    async (_kind, fault) => {
      stub.on(path, fault);
      const startedAt = performance.now();

      const error = await failureOf(client({ timeoutMs: 400 }).call({ path, query }, anything));

      expect(error).toMatchObject({ code: 'wechat_unavailable', endpoint: path });
      expect(performance.now() - startedAt).toBeLessThan(3000);
      expect(stub.callsTo(path)).toBe(1);
    },
  );

  it('is a typed error when nobody listens', async () => {
    const http = client();
    await stub.stop();

    const error = await failureOf(http.call({ path, query }, anything));

    expect(error.detail).toBe('/sns/auth: network: ECONNREFUSED');
    stub = await WechatStub.start();
  });

  it('stops reading an answer that is too large', async () => {
    stub.on(path, (response) => {
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', pour);
      pour();
    });

    const error = await failureOf(client({ maxBytes: 100_000 }).call({ path, query }, anything));

    expect(error).toMatchObject({ code: 'wechat_answer_invalid' });
    expect(error.detail).toContain('over 100000 bytes');
  });

  it('counts 429 as a used-up quota', async () => {
    stub.on(path, raw('', 429));

    expect(await failureOf(client().call({ path, query }, anything))).toMatchObject({
      code: 'wechat_quota_exceeded',
    });
  });
});

describe('a repeatable call', () => {
  const repeatable = { path, query, repeatable: true };

  it.each([
    ['busy', json({ errcode: -1, errmsg: 'system error' })],
    ['a 502', raw('', 502)],
    ['a dropped connection', drop],
  ])('is sent once more after %s', async (_kind, fault) => {
    stub.on(path, fault, json({ openid: 'o1' }));

    await expect(client().call(repeatable, anything)).resolves.toEqual({ openid: 'o1' });
    expect(stub.callsTo(path)).toBe(2);
  });

  it('is sent at most twice', async () => {
    stub.on(path, json({ errcode: -1 }));

    await failureOf(client().call(repeatable, anything));

    expect(stub.callsTo(path)).toBe(2);
  });

  it('is not repeated when the answer is clear or the deadline is over', async () => {
    stub.on(path, json({ errcode: 40003 }));
    await failureOf(client().call(repeatable, anything));
    stub.on(path, hang);
    const startedAt = performance.now();
    await failureOf(client({ timeoutMs: 400 }).call(repeatable, anything));

    expect(stub.callsTo(path)).toBe(2);
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });
});

describe('WechatHttp', () => {
  it('posts raw UTF-8 JSON', async () => {
    stub.on('/cgi-bin/x', json({}));

    await client().call({ path: '/cgi-bin/x', body: { name: '微信🌏' } }, anything);

    expect(stub.calls[0]?.body).toBe('{"name":"微信🌏"}');
  });

  it('keeps a connection for the next call', async () => {
    const ports = new Set<number | undefined>();
    stub.on(path, (response, request) => {
      ports.add(request.socket.remotePort);
      response.end('{}');
    });
    const http = client();

    for (let call = 0; call < 3; call++) {
      await http.call({ path, query }, anything);
      await setImmediate();
    }

    expect(ports.size).toBe(1);
  });

  it('reports every attempt without a secret', async () => {
    const reports: WechatCallReport[] = [];
    stub.on(path, json({ errcode: -1 }), json({ openid: 'o1' }), json({ errcode: 40003 }));
    const http = client({ onCall: (report) => reports.push(report) });

    await http.call({ path, query, repeatable: true }, anything);
    await failureOf(http.call({ path, query }, anything));

    expect(reports.map(({ durationMs, ...report }) => ({ ...report, timed: durationMs > 0 }))).toEqual([
      { endpoint: path, outcome: 'wechat_unavailable', errcode: -1, timed: true },
      { endpoint: path, outcome: 'ok', errcode: undefined, timed: true },
      { endpoint: path, outcome: 'wechat_answer_invalid', errcode: 40003, timed: true },
    ]);
    expect(JSON.stringify(reports)).not.toContain(planted);
  });

  it('shows no secret in any error, however it is printed', async () => {
    const echo = { errcode: 40001, errmsg: `bad ${planted}` };
    const http = client({ timeoutMs: 400 });
    for (const fault of [json(echo), raw(`{"a":"${planted}`), drop, hang, truncate, raw(planted, 502)]) {
      stub.on(path, fault);
      const error = await failureOf(http.call({ path, query, body: { secret: planted } }, anything));

      const shown = [inspect(error, { depth: 20, showHidden: true }), JSON.stringify(error), String(error)];
      expect(shown.join('\n')).not.toContain(planted);
      expect(error.cause).toBeUndefined();
    }
  });

  it('refuses calls after it was closed', async () => {
    const http = client();
    await http.close();

    expect(await failureOf(http.call({ path, query }, anything))).toMatchObject({
      code: 'wechat_unavailable',
    });
    clients.splice(0);
  });

  it('refuses a name that resolves to this machine', async () => {
    const http = new WechatHttp({
      endpoints: { api: 'https://this-machine.localhost.' },
      allowLoopback: true,
    });
    await http.close();

    expect(() => new WechatHttp({ endpoints: { api: 'https://localhost' } })).toThrow('wechat.endpoints.api');
  });

  it('refuses a certificate that nobody vouches for', async () => {
    const server = createServer(selfSigned, (_request, response) => response.end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const endpoints = { api: `https://127.0.0.1:${portOf(server)}` };

    const error = await failureOf(client({ endpoints }).call({ path, query }, anything));

    expect(error.detail).toBe('/sns/auth: network: DEPTH_ZERO_SELF_SIGNED_CERT');
    await new Promise((resolve) => server.close(resolve));
  });
});
