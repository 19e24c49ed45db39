import { getWith, redeem, returnFromPc, returnInsideWechat, toTokens } from '../support/sign-in.js';
import { startWorld, type World, redirectUri } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';

describe('a person signs in', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  it('on a PC by QR code, and is shown to themself', async () => {
    const lan = world.wechat.person({ nickname: '小兰 🌸' });

    const signIn = await returnFromPc(world, lan);
    const tokens = toTokens(await redeem(world.url, signIn));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);

    expect(signIn.returned.status).toBe(303);
    expect(signIn.returned.location?.searchParams.get('state')).toBe('client-state');
    expect(signIn.returned.location?.searchParams.get('iss')).toBe(world.url);
    expect(me.status).toBe(200);
    expect(me.json()).toMatchObject({
      nickname: '小兰 🌸',
      roles: [],
      identities: [{ provider: 'wechat', kind: 'open' }],
    });
  });

  it('inside WeChat, and is the same user as on the PC', async () => {
    const ming = world.wechat.person({ nickname: '小明' });
    const onPc = toTokens(await redeem(world.url, await returnFromPc(world, ming)));

    const { location, verifier } = await returnInsideWechat(world.url, ming);
    const reply = await new PcBrowser().visit(`${world.url}/iam/token`, {
      form: {
        grant_type: 'authorization_code',
        client_id: 'web',
        code: location.searchParams.get('code') ?? '',
        redirect_uri: redirectUri(world.url),
        code_verifier: verifier,
      },
    });
    const pcUser = (await getWith(`${world.url}/iam/me`, onPc.accessToken)).json();
    const phoneUser = (await getWith(`${world.url}/iam/me`, toTokens(reply).accessToken)).json();

    expect(phoneUser['id']).toBe(pcUser['id']);
    expect(phoneUser['identities']).toHaveLength(2);
  });
});
