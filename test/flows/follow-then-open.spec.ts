import {
  askForQrCode,
  decideOnPhone,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { redirectUri, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { authorizeUrl, callbackAfterScan, getWith, pkce, redeem, toTokens } from '../support/sign-in.js';

describe('a row that goes on to the Open Platform after the scan', () => {
  let world: World;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_login_with: 'open', qr_confirmation: 'none' });
  });
  afterAll(() => world.close());

  /** What the client makes of `authorize_uri`: it adds its own parameters. */
  async function followed(nickname: string) {
    const person = world.wechat.person({ nickname });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, person, device.qr);
    const answer = (await pollUntilSettled(world.url, device)).json();
    const { verifier, challenge } = pkce();
    const url = new URL(String(answer['authorize_uri']));
    url.searchParams.set('redirect_uri', redirectUri(world.url));
    url.searchParams.set('state', 'client-state');
    url.searchParams.set('code_challenge', challenge);
    return { person, device, answer, url, verifier };
  }

  it('answers the poll with where to go on, and signs in there', async () => {
    const { person, answer, url, verifier } = await followed('小兰');
    const browser = new PcBrowser();

    const start = await browser.visit(url);
    const returned = await browser.visit(await callbackAfterScan(world.wechat, start.location ?? '', person));
    const tokens = toTokens(await redeem(world.url, { browser, returned, verifier }));
    const me = await getWith(`${world.url}/iam/me`, tokens.accessToken);

    expect(answer['error']).toBe('interaction_required');
    expect(me.json()).toMatchObject({ identities: [{ kind: 'open' }] });
  });

  it('refuses the Open Platform step without the proof of a follow, by whatever link', async () => {
    const browser = new PcBrowser();
    const attempts = [
      { method: 'open' },
      { method: 'open', follow_proof: 'x' },
      { method: 'open', display: 'widget' },
    ];

    const replies = await Promise.all(
      attempts.map((changes) =>
        browser.visit(authorizeUrl(world.url, pkce().challenge, changes), {
          headers: { accept: 'application/json' },
        }),
      ),
    );

    expect(replies.map((reply) => reply.location?.searchParams.get('error') ?? reply.json()['code'])).toEqual(
      ['follow_required', 'follow_required', 'follow_required'],
    );
  });

  it('takes a proof once', async () => {
    const { person, url } = await followed('小明');
    const once = new PcBrowser();
    const again = new PcBrowser();
    const first = await once.visit(url);
    const second = await again.visit(url);

    await once.visit(await callbackAfterScan(world.wechat, first.location ?? '', person));
    const refused = await again.visit(await callbackAfterScan(world.wechat, second.location ?? '', person));

    expect(refused.location?.searchParams.get('error')).toBe('follow_required');
  });

  it('refuses somebody else at the Open Platform than the one who followed', async () => {
    const { url } = await followed('小华');
    const other = world.wechat.person({ nickname: '别人' });
    const browser = new PcBrowser();

    const start = await browser.visit(url);
    const returned = await browser.visit(await callbackAfterScan(world.wechat, start.location ?? '', other));

    expect(returned.location?.searchParams.get('error')).toBe('follow_required');
  });

  it('cannot be redeemed with the Official Account’s identity', async () => {
    const { device } = await followed('小李');

    const reply = await pollUntilSettled(world.url, device);

    expect(reply.json()).not.toHaveProperty('access_token');
  });
});

describe('a row that signs in with the Official Account', () => {
  it('has no Open Platform step at all', async () => {
    const world = await startFollowWorld({ qr_login_with: 'mp' });
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url);
    await scanAndFollow(world, lan, device.qr);
    await decideOnPhone(world, lan, 'confirm');

    const reply = await new PcBrowser().visit(authorizeUrl(world.url, pkce().challenge, { method: 'open' }));

    expect(reply.location?.searchParams.get('error')).toBe('follow_required');
    await world.close();
  });
});
