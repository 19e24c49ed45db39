import { z } from 'zod';
import type { MiniProgram } from '../../emulator/index.js';
import { WechatApi, type WechatFile } from '../../src/index.js';
import { loadExample } from '../docs/load-example.js';
import { exampleOf } from '../docs/pages.js';
import { startWorld, type World } from '../support/iam-app.js';

interface ReadmePictures {
  codeOf(scene: string): Promise<WechatFile>;
  keep(bytes: Buffer): Promise<unknown>;
}
const isPictures = z.custom<new (wechat: WechatApi) => ReadmePictures>(
  (value) => typeof value === 'function',
);

const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const picturePath = '/wxa/getwxacodeunlimit';
const code = { provider: 'wechat', app: 'mini', path: picturePath } as const;

describe('WechatApi and files', () => {
  let world: World;
  let mini: MiniProgram;

  beforeAll(async () => {
    world = await startWorld();
    mini = world.account.miniProgram({ pages: ['pages/home'] });
    await world.saveProvider({ mini_app_id: mini.appid, mini_app_secret: mini.secret });
  });
  afterEach(() => world.wechat.clearFaults());
  afterAll(() => world.close());

  const api = () => world.app.get(WechatApi);
  const failureOf = (promise: Promise<unknown>) =>
    promise.then(
      () => new Error('it succeeded'),
      (error: unknown) => error,
    );
  const uploadImage = (bytes: Uint8Array, name = '图 "1".jpg') =>
    api().upload({
      provider: 'wechat',
      path: '/cgi-bin/media/upload',
      query: { type: 'image' },
      file: { name, contentType: 'image/jpeg', bytes },
    });

  it('gives the picture of a mini program code', async () => {
    const { bytes, contentType, fileName } = await api().download({
      ...code,
      body: { scene: 'shop-7', page: 'pages/home' },
    });

    expect(bytes.subarray(0, 4)).toEqual(png.subarray(0, 4));
    expect([contentType, fileName]).toEqual(['image/png', null]);
  });

  it('says by errcode why there is no picture', async () => {
    const error = await failureOf(api().download({ ...code, body: { scene: 'x', page: 'pages/none' } }));

    expect(error).toMatchObject({ errcode: 41030, endpoint: picturePath });
  });

  it.each(['image/jpeg', 'application/json; encoding=utf-8', 'text/plain'])(
    'never takes JSON for a picture, whatever its type: %s',
    async (type) => {
      const body = '\ufeff {"errcode":45009,"errmsg":"reach max api daily quota limit"}';
      world.wechat.once(picturePath, { body, contentType: type });

      const error = await failureOf(api().download({ ...code, body: { scene: 'x' } }));

      expect(error).toMatchObject({ code: 'wechat_quota_exceeded', errcode: 45009 });
    },
  );

  it.each([
    ['JSON without an errcode', '{"video_url":"http://example.com"}', 'wechat_answer_invalid'],
    ['JSON cut short', '{"errcode":', 'wechat_unavailable'],
    ["a gateway's page", ' <!DOCTYPE html><title>x</title>', 'wechat_unavailable'],
    ['nothing', '', 'wechat_answer_invalid'],
  ])('refuses %s', async (_, body, expected) => {
    world.wechat.once(picturePath, { body });

    expect(await failureOf(api().download({ ...code, body: { scene: 'x' } }))).toMatchObject({
      code: expected,
    });
  });

  it('reads no more than it was told', async () => {
    const asked = { ...code, body: { scene: 'x' } };

    expect(await failureOf(api().download({ ...asked, maxBytes: 100 }))).toMatchObject({
      code: 'wechat_answer_invalid',
    });
    world.wechat.once(picturePath, { delay: 5_000 });
    expect(await failureOf(api().download({ ...asked, timeout: 200 }))).toMatchObject({
      code: 'wechat_unavailable',
    });
  });

  it('takes pictures larger than an answer of JSON may be', async () => {
    const body = Buffer.concat([png, Buffer.alloc(3_000_000)]);
    world.wechat.once(picturePath, { body });

    const { bytes } = await api().download({ ...code, body: { scene: 'x' } });

    expect(bytes.equals(body)).toBe(true);
  });

  it('fetches the token anew when WeChat finds it invalid, for a file as for JSON', async () => {
    world.wechat.once(picturePath, { errcode: 40001, errmsg: 'invalid credential' });
    world.wechat.once('/cgi-bin/media/upload', { errcode: 42001, errmsg: 'access_token expired' });
    const before = world.wechat.calls('/cgi-bin/stable_token').length;

    const { contentType } = await api().download({ ...code, body: { scene: 'x' } });
    const uploaded = await uploadImage(png);

    expect([contentType, uploaded['type']]).toEqual(['image/png', 'image']);
    expect(world.wechat.calls('/cgi-bin/stable_token').length).toBeGreaterThanOrEqual(before + 2);
    expect(world.wechat.calls('/cgi-bin/media/upload').length).toBe(2);
  });

  it('gets back what it sent, with the name that WeChat gives it', async () => {
    const sent = Buffer.concat([
      Buffer.from('ffd8ffe0', 'hex'),
      Buffer.from('\r\n--x\r\n\r\n'),
      Buffer.alloc(500, 7),
    ]);
    const { media_id } = await uploadImage(sent);
    const mediaId = String(media_id);

    const file = await api().download({
      provider: 'wechat',
      path: '/cgi-bin/media/get',
      query: { media_id: mediaId },
    });
    const gone = failureOf(
      api().download({ provider: 'wechat', path: '/cgi-bin/media/get', query: { media_id: 'none' } }),
    );

    expect(file.bytes.equals(sent)).toBe(true);
    expect([file.contentType, file.fileName]).toEqual(['image/jpeg', `${mediaId}.jpg`]);
    expect(await gone).toMatchObject({ errcode: 40007 });
  });

  it('sends further fields, and asks for what is JSON by call', async () => {
    const bytes = Buffer.from('0000001866747970', 'hex');
    const video = { name: 'v.mp4', contentType: 'video/mp4', bytes };
    const { media_id } = await api().upload({
      provider: 'wechat',
      path: '/cgi-bin/media/upload',
      query: { type: 'video' },
      file: video,
      fields: { description: JSON.stringify({ title: '片' }) },
    });
    const get = { provider: 'wechat', path: '/cgi-bin/media/get', query: { media_id: String(media_id) } };

    const sent = world.wechat.calls('/cgi-bin/media/upload').at(-1);

    expect(await api().call(get)).toEqual({ video_url: expect.stringContaining('http') as string });
    expect(await failureOf(api().download(get))).toMatchObject({ code: 'wechat_answer_invalid' });
    expect(sent?.body).toContain('name="description"\r\n\r\n{"title":"片"}');
  });

  it('gets a permanent medium, which has no name', async () => {
    const { media_id } = await api().upload({
      provider: 'wechat',
      path: '/cgi-bin/material/add_material',
      query: { type: 'voice' },
      file: { name: 'a.amr', contentType: 'audio/amr', bytes: Buffer.from('#!AMR\n') },
    });

    const file = await api().download({
      provider: 'wechat',
      path: '/cgi-bin/material/get_material',
      body: { media_id },
    });

    expect([file.bytes.toString(), file.contentType, file.fileName]).toEqual(['#!AMR\n', 'audio/amr', null]);
  });

  it('has pictures checked', async () => {
    const check = (bytes: Uint8Array) =>
      api().upload({
        provider: 'wechat',
        app: 'mini',
        path: '/wxa/img_sec_check',
        file: { name: 'a.png', contentType: 'image/png', bytes },
      });

    expect(await check(png)).toMatchObject({ errcode: 0 });
    expect(await failureOf(check(Buffer.from('EMULATOR-RISKY')))).toMatchObject({ errcode: 87014 });
    expect(await failureOf(check(new Uint8Array(1024 * 1024 + 1)))).toMatchObject({ errcode: 40006 });
  });

  it('works as its guide writes it', async () => {
    const example = await loadExample(exampleOf('docs/guides/calling-wechat.md', 'wechat-api-files'));
    const pictures = new (isPictures.parse(example['Pictures']))(api());

    expect((await pictures.codeOf('shop-7')).contentType).toBe('image/png');
    expect(await pictures.keep(png)).toMatch(/^\w{43}$/);
  });
});
