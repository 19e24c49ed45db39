import { z } from 'zod';
import type { Person } from '../../emulator/index.js';
import { engines, startEngine } from '../support/engines.js';
import { FakeClock } from '../support/fake-clock.js';
import {
  askForQrCode,
  confirmLink,
  pollUntilSettled,
  scanAndFollow,
  startFollowWorld,
} from '../support/follow.js';
import { bearerFrontEnd } from '../support/front-ends.js';
import { type IamApp, startReplica, type World } from '../support/iam-app.js';
import { authorizeUrl, callbackAfterScan, pkce } from '../support/sign-in.js';
import { Storefront } from '../support/storefront.js';
import type { Engine, Place, Profile, Tab } from '../support/tab.js';
import { until } from '../support/until.js';

const state = 's'.repeat(43);
const siteName = '小店 & Co';
const words = {
  'zh-CN': {
    stopped: '无法登录',
    back: `返回 ${siteName} 重新登录`,
    goTo: `前往 ${siteName}`,
    confirmed: '已确认',
  },
  'en-US': {
    stopped: 'Sign-in did not work',
    back: `Back to ${siteName} to sign in again`,
    goTo: `Go to ${siteName}`,
    confirmed: 'Confirmed',
  },
};
const framePage = `<!doctype html><title>frame</title><iframe width="700" height="500"></iframe>
<script>document.querySelector('iframe').src = decodeURIComponent(location.search.slice(1));</script>`;

/** WeChat's QR code in a page, with the return inside of the frame. */
const widgetPage = (
  openUrl: string,
  { verifier, challenge }: ReturnType<typeof pkce>,
) => `<!doctype html><title>widget</title>
<iframe width="400" height="500"></iframe><script>
sessionStorage.setItem('sign-in', JSON.stringify({ verifier: '${verifier}', state: 'mine' }));
const asked = new URLSearchParams({ response_type: 'code', client_id: 'web', redirect_uri: location.origin + '/signed-in', state: 'mine',
  provider: 'plain', display: 'widget', code_challenge: '${challenge}', code_challenge_method: 'S256' });
fetch('/iam/authorize?' + asked).then((answer) => answer.json()).then(({ appid, scope, redirect_uri, state }) => {
  document.querySelector('iframe').src = '${openUrl}/connect/qrconnect?appid=' + appid + '&scope=' + scope + '&redirect_uri=' +
    redirect_uri + '&state=' + state + '&login_type=jssdk&self_redirect=true';
});
</script>`;

/** The README's functions, for a row that does not ask to follow, and the widget. */
const shopPages = (openUrl: string) => ({
  ...bearerFrontEnd.pages,
  '/': bearerFrontEnd.pages['/']?.replace("'wechat'", "'plain'") ?? '',
  '/widget': widgetPage(openUrl, pkce()),
});

/** What the QR code says that WeChat has shown last. */
async function newestQrCode(wechat: string): Promise<string> {
  const answer = await fetch(`${wechat}/_emulator/qr-codes`);
  const { qrCodes } = z
    .object({ qrCodes: z.array(z.object({ content: z.string() })) })
    .parse(await answer.json());
  return qrCodes[0]?.content ?? '';
}

describe.each(engines)('a person whom something stops, in %s', (name) => {
  let front: Storefront;
  let friend: Storefront;
  let world: World;
  let late: IamApp;
  let engine: Engine;

  beforeAll(async () => {
    [front, friend] = await Promise.all([Storefront.open(), Storefront.open()]);
    const clients = [{ id: 'friend', redirectUris: [`${friend.url}/back`] }];
    const options = { publicUrl: front.url, siteName, clients, rateLimits: 'off' } as const;
    world = await startFollowWorld({ qr_confirmation: 'tap' }, { options });
    const { appid: open_app_id, secret: open_app_secret } = world.site;
    const { appid: mp_app_id, secret: mp_app_secret } = world.oa;
    const apps = { open_app_id, open_app_secret, mp_app_id, mp_app_secret };
    await world.saveProvider({ slug: 'plain', name: '直', ...apps });
    await world.saveProvider({ slug: 'closed', name: '关', ...apps, enabled: false });
    const clock = new FakeClock();
    late = await startReplica(world, { clock, options });
    clock.advance(1_800);
    front.pages = shopPages(world.wechat.endpoints.open);
    friend.pages = { '/': '<h1 id="shop">A friend’s shop</h1>', '/frame': framePage };
    front.replicas = [world.url];
    engine = await startEngine(name);
  }, 120_000);
  afterAll(async () => {
    await engine.close();
    await late.close();
    await world.close();
  });

  const start = (changes: Parameters<typeof authorizeUrl>[2] = {}) =>
    authorizeUrl(front.url, pkce().challenge, changes);

  describe.each(['zh-CN', 'en-US'] as const)('reading %s', (language) => {
    const { stopped, back, goTo, confirmed } = words[language];
    let pc: Profile;
    let phone: Profile;
    let tab: Tab;

    beforeAll(async () => {
      pc = await engine.profile({ language });
      phone = await engine.profile({ language, insideWechat: true });
    }, 180_000);
    afterEach(() => tab.close());

    const open = async (profile: Profile, url: string, place: Place = 'page') => {
      tab = await profile.tab();
      await tab.open(place === 'page' ? url : `${friend.url}/frame?${encodeURIComponent(url)}`);
    };
    /** Past the page that looks for a late cookie. */
    const expectStop = (place?: Place) =>
      until('the error page', async () => (await tab.text('h1', place)) === stopped);
    const expectWayOn = async (text: string, home = front.url, place?: Place) => {
      expect(await tab.text('main a', place)).toBe(text);
      await tab.click('main a', place);
      await until('home', async () => (await tab.address()) === `${home}/`);
      expect(await tab.text('#shop')).not.toBe('');
    };

    const onPc: readonly [string, string, () => string][] = [
      [
        'whose attempt is forgotten: late Back, a snapshot browser, a widget left open',
        'state_mismatch',
        () => `${front.url}/iam/callback/wechat?code=c&state=${state}`,
      ],
      ['by an address cut short', 'state_mismatch', () => `${front.url}/iam/callback/wechat`],
      ['by a client that nobody knows', 'client_unknown', () => start({ client_id: 'nobody' })],
      [
        'by a widget of a row that is switched off',
        'provider_disabled',
        () => start({ display: 'widget', provider: 'closed' }),
      ],
      [
        'by a widget of no row',
        'provider_not_found',
        () => start({ display: 'widget', provider: 'nowhere' }),
      ],
      [
        'on the way to a link that has been forgotten',
        'state_mismatch',
        () => `${front.url}/iam/follow?state=${state}`,
      ],
    ];

    describe.each(['page', 'frame'] as const)('in a %s', (place) => {
      it.each(onPc)(
        'goes on from a stop %s',
        async (_stop, code, address) => {
          await open(pc, address(), place);
          await expectStop(place);

          expect(await tab.text('small', place)).toContain(` ${code} · `);
          await tab.picture(`way-on-${name}-${language}-${place}-${code}`);
          await expectWayOn(back, front.url, place);
        },
        60_000,
      );

      it('goes on to the client that the address names', async () => {
        await open(pc, start({ client_id: 'friend', redirect_uri: 'https://x.example/' }), place);
        await expectStop(place);

        await expectWayOn(back, friend.url, place);
      }, 180_000);
    });

    describe('at the client', () => {
      const startAgain = async () => {
        await tab.open(front.url);
        await tab.click(bearerFrontEnd.start);
        await tab.text('#box');
        const person = world.wechat.person({ nickname: '小兰' });
        return new URL(await callbackAfterScan(world.wechat, await tab.address(), person));
      };
      beforeEach(async () => {
        tab = await pc.tab();
      });
      afterEach(() => {
        front.replicas = [world.url];
      });

      it('learns that the attempt is too old', async () => {
        const { href } = await startAgain();
        front.replicas = [late.url];

        await tab.open(href);

        expect(await tab.text('#problem')).toBe('invalid_request');
      }, 180_000);

      it('learns that the code was used', async () => {
        const first = await startAgain();
        await tab.open(first.href);
        const second = await startAgain();
        second.searchParams.set('code', first.searchParams.get('code') ?? '');

        await tab.open(second.href);

        expect(await tab.text('#problem')).toBe('invalid_grant');
      }, 180_000);

      it('learns of a refusal, also as an older WeChat tells it', async () => {
        const refused = await startAgain();
        refused.searchParams.set('code', 'authdeny');

        await tab.open(refused.href);

        expect(await tab.text('#problem')).toBe('access_denied');
      }, 180_000);

      it('is signed in within the frame of the QR code, where the cookie comes late', async () => {
        await pc.forget(front.url);
        await tab.open(`${front.url}/widget`);
        await tab.text('#box', 'frame');
        const person = world.wechat.person({ nickname: '小框' });
        await person.scan(await newestQrCode(world.wechat.endpoints.open));
        await person.confirm();

        expect(await tab.text('#who', 'frame')).toBe(person.nickname);
      }, 180_000);
    });

    describe('on the phone', () => {
      const scanned = async () => {
        const person = world.wechat.person({ nickname: '小兰' });
        const device = await askForQrCode(world.url);
        await scanAndFollow(world, person, device.qr);
        return { person, device, link: confirmLink(world, person) };
      };
      /** The phone of this person opens an address. */
      const openAs = async (person: Person, url: string) => {
        const as = new URLSearchParams({ person: person.id, to: '/phone' });
        await open(phone, `${world.wechat.endpoints.open}/connect/as?${as.toString()}`);
        await tab.open(url);
      };

      it('confirms with a click, which signs the PC in', async () => {
        const { person, device, link } = await scanned();
        await openAs(person, link);

        await tab.click('button.yes');
        await until('the end', async () => (await tab.text('h1')) === confirmed);

        expect((await pollUntilSettled(world.url, device)).status).toBe(200);
      }, 180_000);

      it('learns at the client that WeChat showed the page as a snapshot', async () => {
        world.wechat.once('/sns/oauth2/access_token', { patch: { is_snapshotuser: 1 } });
        await openAs(world.wechat.person({ nickname: '快照' }), front.url);

        await tab.click(bearerFrontEnd.start);
        await tab.click('[data-testid=allow]');

        expect(await tab.text('#problem')).toBe('snapshot_user');
      }, 180_000);

      it('goes on from a link that was made up', async () => {
        await open(phone, `${front.url}/iam/confirm/wechat?login=x`);
        await expectStop();

        expect(await tab.text('small')).toContain(' not_found · ');
        await expectWayOn(back);
      }, 180_000);

      it('goes on where WeChat’s return finds no cookie', async () => {
        await open(phone, `${front.url}/iam/confirm/wechat?code=c&state=${state}`);
        await expectStop();

        expect(await tab.text('small')).toContain(' state_mismatch · ');
        await expectWayOn(back);
      }, 180_000);

      it('goes on from WeChat’s snapshot of the page', async () => {
        const { person, link } = await scanned();
        world.wechat.once('/sns/oauth2/access_token', { patch: { is_snapshotuser: 1 } });
        await openAs(person, link);
        await expectStop();

        expect(await tab.text('small')).toContain(' snapshot_user · ');
        await expectWayOn(back);
      }, 180_000);

      it('goes on from a link of somebody else, one that is over, and one that is opened outside WeChat', async () => {
        const { person, link } = await scanned();

        await openAs(world.wechat.person({ nickname: '路人' }), link);
        await tab.picture(`way-on-${name}-${language}-foreign`);
        await expectWayOn(goTo);
        await tab.close();
        await world.dataSource.query("UPDATE iam.logins SET redeem_before = now() WHERE status = 'scanned'");
        await openAs(person, link);
        await expectWayOn(goTo);
        await tab.close();
        await open(pc, link);
        await expectWayOn(goTo);
      }, 180_000);
    });
  });
});
