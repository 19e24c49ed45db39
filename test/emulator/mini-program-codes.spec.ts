import type { MiniProgram } from '../../emulator/index.js';
import { baseToken, callApi, type Stage, useStage } from './support/stage.js';

const pages = ['pages/home', 'pages/approve'];

interface Image {
  readonly type: string | null;
  /** Of the codes that the program may ever have. */
  readonly used: string | null;
  readonly bytes: Buffer;
}

/** Asks for a code and returns the answer as bytes: an image or JSON. */
async function askForCode(
  { wechat }: Pick<Stage, 'wechat'>,
  app: { readonly appid: string; readonly secret: string },
  body: unknown,
  path = '/wxa/getwxacodeunlimit',
): Promise<Image> {
  const token = await baseToken({ wechat, oa: app });
  const response = await fetch(`${wechat.endpoints.api}${path}?access_token=${token}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const { headers } = response;
  const bytes = Buffer.from(await response.arrayBuffer());
  return { type: headers.get('content-type'), used: headers.get('num-used'), bytes };
}

function errorIn({ type, bytes }: Image): unknown {
  expect(type).toBe('application/json; encoding=utf-8');
  return JSON.parse(bytes.toString());
}

describe.each([
  ['/wxa/getwxacode', 1024, ['1', '3']],
  ['/cgi-bin/wxaapp/createwxaqrcode', 128, [null, null]],
] as const)('%s', (api, longest, used) => {
  const stage = useStage();

  it('leads to its path, and counts with its sibling', async () => {
    const app = stage().account.miniProgram({ pages });
    const person = stage().wechat.person({ nickname: '甲' });
    const ask = (path: string, of: string = api) => askForCode(stage(), app, { path }, of);
    const sibling = api === '/wxa/getwxacode' ? '/cgi-bin/wxaapp/createwxaqrcode' : '/wxa/getwxacode';

    const first = await ask('pages/new?a=1&b=2?3');
    const second = await ask('pages/home', sibling);
    const third = await ask('p'.repeat(longest));
    const visit = await person.scanMini(first.bytes);

    expect([first.type, second.type, third.type]).toEqual(Array(3).fill('image/png'));
    expect([first.used, third.used]).toEqual(used);
    expect([visit.page, visit.query]).toEqual(['pages/new', { a: '1', b: '2?3' }]);
  });

  it.each([{}, { path: '' }, { path: 'p'.repeat(longest + 1) }])('refuses %j', async (body) => {
    expect(errorIn(await askForCode(stage(), stage().account.miniProgram(), body, api))).toMatchObject({
      errcode: 40159,
    });
  });

  it('is for mini programs', async () => {
    expect(errorIn(await askForCode(stage(), stage().oa, { path: 'p' }, api))).toMatchObject({
      errcode: 48001,
    });
  });
});

describe('getwxacodeunlimit', () => {
  const stage = useStage();
  const program = (): MiniProgram => stage().account.miniProgram({ pages });

  it('answers with an image', async () => {
    const { type, bytes } = await askForCode(stage(), program(), { scene: 'iam_abc', page: 'pages/approve' });

    expect(type).toBe('image/png');
    expect(bytes.subarray(0, 4)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47]));
  });

  it.each<readonly [unknown, number]>([
    ['scene=x', 47001],
    [{ scene: 5 }, 47001],
    [{}, 40169],
    [{ scene: '' }, 40169],
    [{ scene: '%'.repeat(33) }, 40169],
    [{ scene: 'a%20b', page: '/pages/home' }, 40129],
    [{ scene: '场景' }, 40129],
    [{ scene: 'a', page: '/pages/home', env_version: 'release_error' }, 41030],
    [{ scene: 'a', page: 'pages/home?x=1' }, 41030],
    [{ scene: 'a', page: 'pages/none' }, 41030],
    [{ scene: 'scancode_time=1', env_version: 'release_error' }, 40097],
    [{ scene: 'scancode_time=1' }, 85096],
  ])('answers %j with the error %i as JSON', async (body, errcode) => {
    expect(errorIn(await askForCode(stage(), program(), body))).toMatchObject({ errcode });
  });

  it('takes every character that is allowed, and pages that are not released when told not to check', async () => {
    const scene = "!#$&'()*+,/:;=?@-._~aA0";

    expect((await askForCode(stage(), program(), { scene, page: 'pages/new', check_path: false })).type).toBe(
      'image/png',
    );
  });

  it('refuses the token of an Official Account, before it reads the body', async () => {
    expect(errorIn(await askForCode(stage(), stage().oa, 'scene=x'))).toMatchObject({ errcode: 48001 });
  });

  it('makes no more codes in a minute than the program may have', async () => {
    const { wechat } = stage();
    wechat.rules.miniCodesPerMinute = 1;
    const app = program();
    const other = stage().account.miniProgram();
    await askForCode(stage(), app, { scene: 'a' });

    expect(errorIn(await askForCode(stage(), app, { scene: 'b' }))).toMatchObject({ errcode: 45009 });
    expect((await askForCode(stage(), other, { scene: 'b' })).type).toBe('image/png');
    wechat.clock.advance(60);
    expect((await askForCode(stage(), app, { scene: 'b' })).type).toBe('image/png');
  });

  it('can be made to answer JSON as an image, a page, or nothing', async () => {
    const { wechat } = stage();
    const path = '/wxa/getwxacodeunlimit';
    const app = program();
    wechat.once(path, { body: '{"errcode":45009}', contentType: 'image/jpeg' });
    wechat.once(path, { status: 200 });
    wechat.once(path, { body: '', contentType: 'image/png' });
    const ask = async (): Promise<readonly [string | null, number]> => {
      const { type, bytes } = await askForCode(stage(), app, { scene: 'a' });
      return [type, bytes[0] ?? 0];
    };

    expect([await ask(), await ask(), await ask()]).toEqual([
      ['image/jpeg', 0x7b],
      ['text/html', 0x3c],
      ['image/png', 0],
    ]);
  });
});

async function linkTo(
  { wechat }: Pick<Stage, 'wechat'>,
  mini: MiniProgram,
  path: string,
  body: object,
): Promise<Record<string, unknown>> {
  const query = { access_token: await baseToken({ wechat, oa: mini }) };
  return (await callApi({ wechat }, path, query, { method: 'POST', body: JSON.stringify(body) })).body;
}

describe('links into a mini program', () => {
  const stage = useStage();
  /** A second may pass before the emulator reads it. */
  const until = (seconds: number) => ({ expire_time: stage().wechat.clock.seconds() + seconds });

  it.each<readonly [() => object, number]>([
    [() => until(61), 0],
    [() => ({ expire_type: 1, expire_interval: 30 }), 0],
    [() => until(59), 85401],
    [() => until(30 * 86_400 + 2), 85401],
    [() => ({ expire_type: 1, expire_interval: 31 }), 85401],
    [() => ({}), 85401],
    [() => ({ ...until(600), jump_wxa: { path: 'pages/none' } }), 40165],
    [() => ({ ...until(600), jump_wxa: { query: 'alone' } }), 40212],
    [() => ({ ...until(600), jump_wxa: { query: `q=${'x'.repeat(1023)}` } }), 40212],
    [() => ({ ...until(600), jump_wxa: { env_version: 'beta' } }), 85402],
  ])('are made within their bounds: %#', async (body, errcode) => {
    const { wechat, account } = stage();
    wechat.clock.set(new Date('2026-01-01T00:00:00.500Z'));
    const mini = account.miniProgram({ pages });
    const { jump_wxa, ...others } = { jump_wxa: {}, ...body() };

    const scheme = await linkTo(stage(), mini, '/wxa/generatescheme', { jump_wxa, ...others });
    const link = await linkTo(stage(), mini, '/wxa/generate_urllink', { ...jump_wxa, ...others });

    expect([scheme['errcode'], link['errcode']]).toEqual([errcode, errcode]);
    if (errcode === 0) expect(scheme['openlink']).toMatch(/^weixin:\/\/dl\/business\/\?t=\w{11}$/);
    if (errcode === 0) expect(link['url_link']).toMatch(/^https:\/\/wxaurl\.cn\/\w{7}$/);
  });

  it('open the program until they expire, and can be looked up', async () => {
    const { wechat, account, lan } = stage();
    const mini = account.miniProgram({ pages });
    const target = { path: '/pages/approve', query: 'scene=a%2Fb' };
    const scheme = await linkTo(stage(), mini, '/wxa/generatescheme', { jump_wxa: target, ...until(61) });
    const urlLink = await linkTo(stage(), mini, '/wxa/generate_urllink', { ...target, ...until(61) });
    const openlink = String(scheme['openlink']);

    const visits = [await lan.openScheme(openlink), await lan.openScheme(String(urlLink['url_link']))];
    const found = await linkTo(stage(), mini, '/wxa/queryscheme', { scheme: openlink });

    expect(visits.map(({ page, query, entry, start }) => ({ page, query, entry, start }))).toEqual([
      { page: 'pages/approve', query: { scene: 'a%2Fb' }, entry: 1065, start: 'cold' },
      { page: 'pages/approve', query: { scene: 'a%2Fb' }, entry: 1194, start: 'hot' },
    ]);
    expect(found['scheme_info']).toMatchObject({ appid: mini.appid, path: 'pages/approve' });
    const unknown = { scheme: 'weixin://dl/business/?t=none' };
    expect((await linkTo(stage(), mini, '/wxa/queryscheme', unknown))['errcode']).toBe(85403);
    wechat.clock.advance(61);
    await expect(lan.openScheme(openlink)).rejects.toThrow('opens nothing');
  });

  it('need no API where the scheme is a plain one', async () => {
    const { account, lan } = stage();
    const { appid } = account.miniProgram({ pages });
    const query = new URLSearchParams({
      appid,
      path: 'pages/approve',
      query: 'scene=x',
      env_version: 'release',
    });

    const visit = await lan.openScheme(`weixin://dl/business/?${query.toString()}`);

    expect(visit).toMatchObject({ appid, page: 'pages/approve', query: { scene: 'x' }, entry: 1286 });
  });
});

describe('a mini program code on somebody’s phone', () => {
  const stage = useStage();

  const approving = (): MiniProgram => {
    const { account, app } = stage();
    const page = { page: 'pages/approve', server: `${app.origin}/iam`, clientId: 'web', provider: 'wechat' };
    return account.miniProgram({ pages: ['pages/home'], approvalPage: page });
  };
  const draw = async (app: MiniProgram, more: object = {}): Promise<Buffer> =>
    (await askForCode(stage(), app, { scene: 'a/b', page: 'pages/approve', ...more })).bytes;

  it('opens its page with the scene percent-encoded, cold and then hot', async () => {
    const { account, lan } = stage();
    const picture = await draw(account.miniProgram({ pages }));

    const first = await lan.scanMini(picture);
    const second = await lan.scanMini(`data:image/png;base64,${picture.toString('base64')}`);
    lan.closeMini();
    const third = await lan.scanMini(picture);

    expect(first).toMatchObject({ page: 'pages/approve', query: { scene: 'a%2Fb' }, entry: 1047 });
    expect([first, second, third].map(({ start }) => start)).toEqual(['cold', 'hot', 'cold']);
    await expect(lan.scanMini(picture.subarray(1))).rejects.toThrow('no mini program code');
  });

  it('opens a trial build for members only', async () => {
    const { account, lan, wechat } = stage();
    const app = account.miniProgram({ pages, members: [lan.id] });
    const picture = await draw(app, { env_version: 'trial' });

    expect((await lan.scanMini(picture)).page).toBe('pages/approve');
    await expect(wechat.person({ nickname: '阿伟' }).scanMini(picture)).rejects.toThrow('members');
  });

  it('asks the server on the approval page, but neither for a crawler nor in single-page mode', async () => {
    const { lan, app } = stage();
    const mini = approving();
    const picture = await draw(mini);

    const visits = [await lan.scanMini(picture, { inSinglePage: true }), await mini.crawl('pages/approve')];
    const before = app.heard.length;
    await lan.scanMini(picture);

    expect(visits.map(({ entry, screen }) => [entry, screen.kind])).toEqual([
      [1154, 'idle'],
      [1129, 'idle'],
    ]);
    expect(before).toBe(0);
    expect(app.heard.map(({ url }) => url.pathname)).toEqual(['/iam/token', '/iam/approvals']);
  });

  it('is shown over HTTP to people and tests in any language', async () => {
    const { wechat, lan } = stage();
    await draw(approving());
    const control = async (path: string, body?: object): Promise<unknown> => {
      const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      return (await fetch(`${wechat.endpoints.api}/_emulator${path}`, init)).json();
    };

    expect(await control('/qr-codes')).toMatchObject({ qrCodes: [{ kind: 'mini', onScreen: true }] });
    const content = `emulator://mp?appid=none&page=&scene=a`;
    expect(await control(`/people/${lan.id}/mini`, { code: content })).toHaveProperty('error');
  });
});
