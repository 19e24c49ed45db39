import { randomBytes } from 'node:crypto';
import { addApps, callMe, inApp, itemsOf, type Apps } from '../support/account.js';
import { askForQrCode, decideOnPhone, pollUntilSettled, scanAndFollow } from '../support/follow.js';
import { startWorld, type World } from '../support/iam-app.js';
import { valueOf } from '../support/rows.js';
import { getWith, signInOnPc, toTokens, type Tokens } from '../support/sign-in.js';
import { inWechat } from '../support/signed-in.js';

describe('one person on every surface of WeChat', () => {
  let world: World;
  /** The same host at a second row, whose own Official Account is followed to sign in. */
  let club: World;
  let apps: Apps;

  beforeAll(async () => {
    world = await startWorld({ provider: { union_scope: 'tea' } });
    apps = await addApps(world);
    const oa = world.account.officialAccount({ oauthDomain: 'localhost' });
    club = { ...world, oa };
    const token = randomBytes(12).toString('hex');
    const encodingAesKey = randomBytes(32).toString('hex').slice(0, 43);
    await world.saveProvider({
      slug: 'club',
      name: 'Club',
      union_scope: 'tea',
      mp_app_id: oa.appid,
      mp_app_secret: oa.secret,
      mp_token: token,
      mp_encoding_aes_key: encodingAesKey,
      qr_enabled: true,
    });
    oa.configureServer({ url: `${world.url}/iam/webhook/club`, token, encodingAesKey, mode: 'safe' });
  });
  afterAll(() => world.close());

  it('ends as one user with five identities, gives up four and is refused the fifth', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    const device = await askForQrCode(world.url, undefined, 'club');
    await scanAndFollow(club, lan, device.qr);
    await decideOnPhone(club, lan, 'confirm');
    const follower = toTokens(await pollUntilSettled(world.url, device));
    const onPc = await signInOnPc(world, lan);
    const inside = await inWechat(world, lan);
    const inMini = await inApp(world, lan, apps, 'mini');
    const inMobile = await inApp(world, lan, apps, 'mobile');
    const everywhere: Tokens[] = [follower, onPc, inside, inMini, inMobile];

    const ids = await Promise.all(
      everywhere.map(
        async ({ accessToken }) => (await getWith(`${world.url}/iam/me`, accessToken)).json()['id'],
      ),
    );
    const identities = itemsOf(await callMe(world, onPc, '/identities'));
    const sessions = itemsOf(await callMe(world, onPc, '/sessions'));

    expect(new Set(ids).size).toBe(1);
    expect(identities.map(({ kind, provider, appid }) => ({ kind, provider, appid }))).toEqual([
      { kind: 'mp', provider: 'club', appid: club.oa.appid },
      { kind: 'open', provider: 'wechat', appid: world.site.appid },
      { kind: 'mp', provider: 'wechat', appid: world.oa.appid },
      { kind: 'mini', provider: 'wechat', appid: apps.mini.appid },
      { kind: 'mobile', provider: 'wechat', appid: apps.mobile.appid },
    ]);
    expect(sessions.map(({ method }) => method).toSorted()).toEqual([
      'follow',
      'mini',
      'mobile',
      'mp',
      'open',
    ]);

    const others = identities.filter(({ kind }) => kind !== 'open');
    const replies = [];
    for (const { id } of others)
      replies.push(await callMe(world, onPc, `/identities/${String(id)}`, { method: 'DELETE' }));
    const [last] = itemsOf(await callMe(world, onPc, '/identities'));
    const refused = await callMe(world, onPc, `/identities/${String(last?.['id'])}`, { method: 'DELETE' });

    expect(replies.map((reply) => [reply.status, reply.json()['rejoins']])).toEqual(
      others.map(() => [200, true]),
    );
    expect([refused.status, refused.json()['code']]).toEqual([409, 'last_identity']);
    expect(itemsOf(await callMe(world, onPc, '/identities'))).toEqual([last]);
    expect(itemsOf(await callMe(world, onPc, '/sessions')).map(({ method }) => method)).toEqual(['open']);
    expect(await valueOf(world.dataSource, 'SELECT count(*)::int FROM iam.users')).toBe(1);
  });
});
