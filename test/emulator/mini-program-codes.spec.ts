import { createHmac } from 'node:crypto';
import type { MiniProgram } from '../../emulator/index.js';
import { baseToken, callApi, textLike, useStage, type Stage } from './support/stage.js';

/** Asks for a code and returns the answer as bytes: an image or JSON. */
async function askForCode(
  { wechat }: Stage,
  app: { readonly appid: string; readonly secret: string },
  body: unknown,
): Promise<{ readonly type: string | null; readonly bytes: Buffer }> {
  const token = await baseToken({ wechat, oa: app });
  const response = await fetch(`${wechat.endpoints.api}/wxa/getwxacodeunlimit?access_token=${token}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { type: response.headers.get('content-type'), bytes: Buffer.from(await response.arrayBuffer()) };
}

async function errcodeOf(stage: Stage, app: MiniProgram, body: unknown): Promise<unknown> {
  const { type, bytes } = await askForCode(stage, app, body);
  const answer: unknown = JSON.parse(bytes.toString());
  expect(type).toBe('application/json; encoding=utf-8');
  return answer;
}

describe('getwxacodeunlimit', () => {
  const stage = useStage();
  const program = (): MiniProgram => stage().account.miniProgram({ pages: ['pages/home', 'pages/approve'] });

  it('answers with an image', async () => {
    const { type, bytes } = await askForCode(stage(), program(), { scene: 'iam_abc', page: 'pages/approve' });

    expect(type).toBe('image/png');
    expect(bytes.subarray(0, 4)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47]));
  });

  it.each<readonly [unknown, number]>([
    ['scene=x', 47001],
    [{}, 40169],
    [{ scene: '' }, 40169],
    [{ scene: 's'.repeat(33) }, 40169],
    [{ scene: 'a%20b' }, 40129],
    [{ scene: '场景' }, 40129],
    [{ scene: 'a', page: '/pages/home' }, 41030],
    [{ scene: 'a', page: 'pages/home?x=1' }, 41030],
    [{ scene: 'a', page: 'pages/none' }, 41030],
    [{ scene: 'a', env_version: 'release_error' }, 40097],
    [{ scene: 'a', page: 'pages/home?scancode_time=1' }, 85096],
  ])('answers %j with the error %i as JSON', async (body, errcode) => {
    expect(await errcodeOf(stage(), program(), body)).toMatchObject({ errcode });
  });

  it('takes every character that is allowed, and pages that are not released when told not to check', async () => {
    const scene = "!#$&'()*+,/:;=?@-._~aA0";

    expect((await askForCode(stage(), program(), { scene, page: 'pages/new', check_path: false })).type).toBe(
      'image/png',
    );
  });

  it('refuses the token of an Official Account', async () => {
    const { bytes } = await askForCode(stage(), stage().oa, { scene: 'a' });

    expect(JSON.parse(bytes.toString())).toMatchObject({ errcode: 48001 });
  });
});

describe('generatescheme', () => {
  const stage = useStage();

  it.each<readonly [(now: number) => object, number]>([
    [(now) => ({ expire_time: now + 60 }), 0],
    [() => ({ expire_type: 1, expire_interval: 30 }), 0],
    [(now) => ({ expire_time: now + 59 }), 85401],
    [(now) => ({ expire_time: now + 30 * 86_400 + 1 }), 85401],
    [() => ({ expire_type: 1, expire_interval: 31 }), 85401],
    [() => ({}), 85401],
    [(now) => ({ expire_time: now + 600, jump_wxa: { path: 'pages/none' } }), 40165],
    [(now) => ({ expire_time: now + 600, jump_wxa: { query: 'alone' } }), 40212],
    [(now) => ({ expire_time: now + 600, jump_wxa: { env_version: 'beta' } }), 85402],
  ])('%# answers as documented', async (body, errcode) => {
    const { wechat, account } = stage();
    wechat.clock.set(new Date('2026-01-01T00:00:00.500Z'));
    const mini = account.miniProgram({ pages: ['pages/home'] });
    const query = { access_token: await baseToken({ wechat, oa: mini }) };
    const posted = { method: 'POST', body: JSON.stringify(body(wechat.clock.seconds())) };

    const answer = await callApi(stage(), '/wxa/generatescheme', query, posted);

    expect(answer.body['errcode']).toBe(errcode);
    if (errcode === 0) expect(answer.body['openlink']).toMatch(/^weixin:\/\/dl\/business\/\?t=\w{11}$/);
  });
});

describe('checksession', () => {
  const stage = useStage();

  it('knows the key of the last login only, and resets it', async () => {
    const { wechat, account, lan } = stage();
    const mini = account.miniProgram();
    const exchange = async (): Promise<Record<string, unknown>> => {
      const query = {
        appid: mini.appid,
        secret: mini.secret,
        js_code: lan.wxLogin(mini),
        grant_type: 'authorization_code',
      };
      return (await callApi(stage(), '/sns/jscode2session', query)).body;
    };
    const access_token = await baseToken({ wechat, oa: mini });
    const check = async (path: string, key: unknown): Promise<Record<string, unknown>> => {
      const signature = createHmac('sha256', String(key)).update('').digest('hex').toUpperCase();
      const query = { access_token, openid: lan.openid(mini), signature, sig_method: 'hmac_sha256' };
      return (await callApi(stage(), path, query)).body;
    };

    const { session_key: old } = await exchange();
    const { session_key: current } = await exchange();
    const reset = await check('/wxa/resetusersessionkey', current);

    expect(await check('/wxa/checksession', old)).toMatchObject({ errcode: 87009 });
    expect(reset).toMatchObject({ errcode: 0, openid: lan.openid(mini), session_key: textLike(/==$/) });
    expect(await check('/wxa/checksession', current)).toMatchObject({ errcode: 87009 });
    expect(await check('/wxa/checksession', reset['session_key'])).toMatchObject({ errcode: 0 });
  });

  it('computes the signature of the documented vector', () => {
    expect(createHmac('sha256', 'ABEiM0RVZneImaq7zN3u/w==').update('').digest('hex')).toBe(
      'cb4ddd2bfeb25111be82a9e5d42e49c7da1f2ecb281cb3f8c188dbb12d9c0798',
    );
  });
});
