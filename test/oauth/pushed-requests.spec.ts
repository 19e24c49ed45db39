import { createHash } from 'node:crypto';
import { IamPagesModule } from '../../pages/server/index.js';
import { Cleanup } from '../../src/privacy/cleanup.service.js';
import { AdminClient, adminOptions } from '../support/admin.js';
import { type IamApp, redirectUri, startReplica, startWorld, type World } from '../support/iam-app.js';
import { PcBrowser, type Reply } from '../support/pc-browser.js';
import { platforms } from '../support/platforms.js';
import { countQueries, isHousekeeping } from '../support/query-counter.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { addServer, basic, post, proof, refusalOf, serverKey } from '../support/server-client.js';
import { callbackAfterScan, pkce } from '../support/sign-in.js';

const gone = [400, 'invalid_request_uri'];

describe.each(platforms)('authorization requests that clients push, on %s', (_name, create) => {
  let world: World;
  let admin: AdminClient;
  let id: string;
  let secret: string;
  let replica: IamApp;

  beforeAll(async () => {
    const settings = { create, imports: [IamPagesModule.forRoot()], options: adminOptions };
    world = await startWorld(settings);
    admin = new AdminClient(world.url);
    ({ id, secret } = await addServer(admin, { redirect_uris: [redirectUri(world.url)] }));
    replica = await startReplica(world, settings);
  });
  afterAll(() => replica.close().finally(() => world.close()));

  const requestOf = (changes: Readonly<Record<string, string | undefined>> = {}) => {
    const { verifier, challenge } = pkce();
    const parameters = {
      response_type: 'code',
      redirect_uri: redirectUri(world.url),
      state: 'client-state',
      code_challenge: challenge,
      code_challenge_method: 'S256',
      provider: 'wechat',
      ...changes,
    };
    const form = Object.fromEntries(
      Object.entries<string | undefined>(parameters).filter(
        (pair): pair is [string, string] => pair[1] !== undefined,
      ),
    );
    return { verifier, form };
  };
  const push = (form: Readonly<Record<string, string>>, headers = basic(id, secret)) =>
    post(`${world.url}/iam/par`, form, headers);
  const pushed = async (changes: Readonly<Record<string, string | undefined>> = {}) => {
    const { verifier, form } = requestOf(changes);
    const reply = await push(form);
    return { verifier, uri: String(reply.json()['request_uri']) };
  };
  const authorize = (
    request_uri: string,
    more: Readonly<Record<string, string>> = {},
    { url = world.url, browser = new PcBrowser(), client_id = id } = {},
  ) => {
    const query = new URLSearchParams({ client_id, request_uri, ...more });
    return browser.visit(`${url}/iam/authorize?${query.toString()}`);
  };
  const outcome = ({ status, text }: Reply) => [status, /invalid_[a-z_]+/.exec(text)?.[0]];
  const returned = async (browser: PcBrowser, start: Reply) => {
    const person = world.wechat.person({ nickname: '客' });
    return browser.visit(await callbackAfterScan(world.wechat, start.location ?? '', person));
  };
  const redeem = (reply: Reply, verifier: string) =>
    post(
      `${world.url}/iam/token`,
      {
        grant_type: 'authorization_code',
        code: reply.location?.searchParams.get('code') ?? '',
        code_verifier: verifier,
        redirect_uri: redirectUri(world.url),
      },
      basic(id, secret),
    );

  it('end in tokens; pushing costs one statement, and so does the browser that comes with it', async () => {
    const { verifier, form } = requestOf();
    const counter = countQueries(world.database.url);

    const reply = await push(form);
    const count = () => counter.since(0).filter((text) => !isHousekeeping(text)).length;
    const ofPush = count();
    const browser = new PcBrowser();
    const start = await authorize(String(reply.json()['request_uri']), {}, { browser });
    const inAll = count();
    counter.stop();
    const back = await returned(browser, start);
    const tokens = await redeem(back, verifier);

    expect(reply.status).toBe(201);
    expect(reply.headers.get('cache-control')).toBe('no-store');
    expect(reply.json()).toEqual({
      request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:[A-Za-z0-9]{43}$/) as string,
      expires_in: 90,
    });
    expect([ofPush, inAll]).toEqual([1, 2]);
    expect(back.location?.searchParams.get('state')).toBe('client-state');
    expect(tokens.status).toBe(200);
  });

  it('are used once, by their own client, while they live, on any replica', async () => {
    const [first, foreign, late, both] = [await pushed(), await pushed(), await pushed(), await pushed()];
    const { id: other } = await addServer(admin, { redirect_uris: [redirectUri(world.url)] });

    const used = [await authorize(first.uri, {}, { url: replica.url }), await authorize(first.uri)];
    const byOther = await authorize(foreign.uri, {}, { client_id: other });
    const byOwner = await authorize(foreign.uri);
    const handle = createHash('sha256')
      .update(late.uri.split(':').at(-1) ?? '')
      .digest('base64url');
    await world.dataSource.query('UPDATE iam.pushed_requests SET expires_at = now() WHERE id = $1', [handle]);
    const expired = await authorize(late.uri);
    const raced = await Promise.all(
      [world.url, replica.url, world.url, replica.url].map((url) => authorize(both.uri, {}, { url })),
    );
    const made = [
      await authorize('urn:ietf:params:oauth:request_uri:x'),
      await authorize('https://a.test/r'),
    ];

    expect(used.map(({ status }) => status)).toEqual([302, 400]);
    expect([used[1], byOther, expired, ...made].map((reply) => reply && outcome(reply))).toEqual([
      gone,
      gone,
      gone,
      gone,
      gone,
    ]);
    expect(byOwner.status).toBe(302);
    expect(raced.map(({ status }) => status).sort()).toEqual([302, 400, 400, 400]);
  });

  it('are all that counts: what stands beside them in the query is not looked at', async () => {
    const { uri, verifier } = await pushed({ state: 'pushed' });
    const browser = new PcBrowser();
    const beside = {
      state: 'other',
      redirect_uri: 'https://evil.example/',
      code_challenge: pkce().challenge,
      provider: 'none',
      display: 'widget',
    };

    const start = await authorize(uri, beside, { browser });
    const back = await returned(browser, start);

    expect(back.location?.href.startsWith(redirectUri(world.url))).toBe(true);
    expect(back.location?.searchParams.get('state')).toBe('pushed');
    expect((await redeem(back, verifier)).status).toBe(200);
  });

  it('go over the page of the chooser, and only the way to sign in is decided there', async () => {
    const { uri, verifier } = await pushed({ provider: undefined, state: 'pushed' });
    const browser = new PcBrowser();
    const chooser = await authorize(uri, {}, { browser });
    const parameters = Object.fromEntries(chooser.location?.searchParams ?? []);
    const page = await browser.visit(chooser.location ?? '');
    const { request_uri: kept = '' } = parameters;
    const again = (more: Readonly<Record<string, string>>, url = world.url) =>
      authorize(kept, { ...parameters, ...more, from: 'chooser' }, { browser, url });

    const first = await again({ provider: 'none', method: 'open' });
    const start = await again(
      {
        provider: 'wechat',
        method: 'open',
        state: 'other',
        redirect_uri: 'https://evil.example/',
        code_challenge: pkce().challenge,
      },
      replica.url,
    );
    const forged = await authorize(`${kept.slice(0, -4)}AAAA`, {}, { browser });
    const back = await returned(browser, await again({ provider: 'wechat', method: 'open', state: 'other' }));

    expect([chooser.location?.pathname, page.status]).toEqual(['/iam/ui/sign-in', 200]);
    expect(kept.startsWith(`${uri}.`)).toBe(true);
    expect(first.location?.searchParams.get('error')).toBe('provider_not_found');
    expect(start.location?.pathname).toBe('/connect/qrconnect');
    expect(outcome(forged)).toEqual(gone);
    expect(back.location?.searchParams.get('state')).toBe('pushed');
    expect((await redeem(back, verifier)).status).toBe(200);
  });

  it('return to that page with the same request when a sign-in fails', async () => {
    const { uri } = await pushed({ provider: undefined });
    const browser = new PcBrowser();
    const chooser = await authorize(uri, {}, { browser });
    const kept = chooser.location?.searchParams.get('request_uri') ?? '';
    const start = await authorize(kept, { provider: 'wechat', method: 'open', from: 'chooser' }, { browser });
    const callback = new URL(`${world.url}/iam/callback/wechat`);
    callback.searchParams.set('state', start.location?.searchParams.get('state') ?? '');

    const refused = await browser.visit(callback);

    expect(refused.location?.pathname).toBe('/iam/ui/sign-in');
    expect(refused.location?.searchParams.get('request_uri')).toBe(kept);
    expect(refused.location?.searchParams.get('error')).toBe('access_denied');
  });

  it('are refused as /authorize would refuse them, and without proof of the client', async () => {
    const key = await serverKey();
    const rows = () => valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.pushed_requests');
    const before = await rows();
    const { form } = requestOf();
    const { id: device } = await addServer(admin, {
      grants: ['urn:ietf:params:oauth:grant-type:device_code'],
    });
    const wrong = [
      [
        push({ ...form, redirect_uri: 'https://evil.example/' }),
        [400, 'invalid_request', 'redirect_uri_mismatch'],
      ],
      [
        push({ ...form, response_type: 'token' }),
        [400, 'unsupported_response_type', 'unsupported_response_type'],
      ],
      [push({ ...form, scope: 'unheard-of' }), [400, 'invalid_scope', 'invalid_scope']],
      [push({ ...form, code_challenge_method: 'plain' }), [400, 'invalid_request', 'invalid_request']],
      [push({ ...form, request_uri: (await pushed()).uri }), [400, 'invalid_request', 'invalid_request']],
      [push(form, basic(id, 'wrong')), [401, 'invalid_client', 'invalid_client']],
      [
        push({ ...form, ...(await proof(device, world.url, key)) }, { authorization: '' }),
        [401, 'invalid_client', 'invalid_client'],
      ],
      [post(`${world.url}/iam/par`, { ...form, client_id: id }), [401, 'invalid_client', 'invalid_client']],
    ] as const;

    for (const [reply, expected] of wrong) expect(refusalOf(await reply)).toEqual(expected);
    expect(Number(await rows()) - Number(before)).toBe(1);
  });

  it('are kept without proofs and without their request_uri, until the clean-up', async () => {
    await world.dataSource.query('DELETE FROM iam.pushed_requests');
    const { form } = requestOf();
    const reply = await post(`${world.url}/iam/par`, {
      ...form,
      client_id: id,
      client_secret: secret,
      more: 'x',
    });
    const [row] = await rowsOf(
      world.dataSource,
      'SELECT p::text AS line, parameters FROM iam.pushed_requests p',
    );
    await world.dataSource.query(`UPDATE iam.pushed_requests SET expires_at = now() - interval '1 second'`);
    await world.app.get(Cleanup).removeExpired();

    expect(row?.['parameters']).toEqual({ ...form, client_id: id });
    expect(row?.['line']).not.toContain(String(reply.json()['request_uri']).split(':').at(-1));
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.pushed_requests')).toBe(0);
  });

  it('of an application that is disabled meanwhile start nothing', async () => {
    const { uri } = await pushed();
    await admin.patch(`clients/${id}`, { enabled: false });

    const start = await authorize(uri);
    await admin.patch(`clients/${id}`, { enabled: true });

    expect([start.status, start.text]).toEqual([400, expect.stringContaining('client_disabled')]);
  });

  it('of public clients are 60 a minute of an address, and four times as many of its network', async () => {
    const { form } = requestOf();
    const pushByAnybody = () => post(`${world.url}/iam/par`, { ...form, client_id: 'web' });
    const replies = [];
    for (let tries = 0; tries < 61; tries += 1) replies.push(await pushByAnybody());
    // As after as many from other addresses.
    await world.dataSource.query(`
      UPDATE iam.rate_limits SET points = CASE WHEN key LIKE '%.0/24' THEN 240 ELSE 0 END WHERE key LIKE 'pushed_requests:%'`);
    const ofNetwork = await pushByAnybody();

    expect(replies.slice(0, 60).map(({ status }) => status)).toEqual(Array<number>(60).fill(201));
    expect([replies.at(-1)?.status, ofNetwork.status]).toEqual([429, 429]);
    expect((await push(form)).status).toBe(201);
  });
});
