import {
  bearerFrontEnd,
  cookieFrontEnd,
  exampleFrontEnd,
  forgetfulFrontEnd,
  type FrontEnd,
} from '../support/front-ends.js';
import { engines, startEngine } from '../support/engines.js';
import { type IamApp, startReplica, startWorld, type World } from '../support/iam-app.js';
import { rowsOf } from '../support/rows.js';
import { callbackAfterScan, outlastGrace } from '../support/sign-in.js';
import { Storefront } from '../support/storefront.js';
import type { Engine, Profile, Tab } from '../support/tab.js';
import { until } from '../support/until.js';

const gaps = [0, 10, 50, 2_000];

describe.each(engines)('a sign-in whose end comes twice, in %s', (name) => {
  let front: Storefront;
  let world: World;
  let replica: IamApp;
  let engine: Engine;
  let profiles: Profile[];

  beforeAll(async () => {
    front = await Storefront.open();
    const shop = {
      id: 'shop',
      redirectUris: [`${front.url}${cookieFrontEnd.returnPath}`],
      tokens: 'cookie',
    } as const;
    const options = {
      publicUrl: front.url,
      sessionCheck: 'always',
      clients: [shop],
      rateLimits: 'off',
    } as const;
    world = await startWorld({ options });
    replica = await startReplica(world, { options });
    engine = await startEngine(name);
    profiles = await Promise.all(gaps.map(() => engine.profile({ language: 'zh-CN' })));
  }, 120_000);
  afterAll(async () => {
    await engine.close();
    await replica.close();
    await world.close();
  });

  let persons = 0;
  const someone = () => world.wechat.person({ nickname: `小兰${(persons += 1)}` });
  type Someone = ReturnType<typeof someone>;
  const sessionsOf = ({ nickname }: Someone) =>
    rowsOf(
      world.dataSource,
      'SELECT sessions.end_reason FROM iam.sessions JOIN iam.users ON users.id = user_id WHERE nickname = $1',
      [nickname],
    );
  const one = [{ end_reason: null }];

  const tabOf = (profile: Profile | undefined): Promise<Tab> => {
    if (profile === undefined) throw new Error('no profile');
    return profile.tab();
  };
  /** A tab whose person has started and sees WeChat's QR code. */
  const start = async (frontEnd: FrontEnd, profile = profiles[0], gap?: number) => {
    await profile?.forget(front.url);
    const tab = await tabOf(profile);
    await tab.open(front.url);
    if (gap !== undefined) await tab.run(`sessionStorage.setItem('gap', ${gap})`);
    await tab.click(frontEnd.start);
    await tab.text('#box');
    return tab;
  };
  const scan = async (tab: Tab, person: Someone) => {
    await person.scan(String(await tab.run(`document.querySelector('#box').dataset.content`)));
    await person.confirm();
    await until('the page is left', async () => (await tab.address()).startsWith(front.url));
  };
  const signIn = async (frontEnd: FrontEnd, person: Someone) => {
    const tab = await start(frontEnd);
    await scan(tab, person);
    expect(await frontEnd.who(tab)).toBe(person.nickname);
    return tab;
  };
  /** Who is signed in when the person comes another time. */
  const whoLater = async (tab: Tab, frontEnd: FrontEnd) => {
    await tab.open(`${front.url}${frontEnd.returnPath}`);
    return frontEnd.who(tab);
  };
  const serve = (frontEnd: FrontEnd, replicas: number) => {
    front.pages = frontEnd.pages;
    front.replicas = [world.url, replica.url].slice(0, replicas);
  };

  describe.each([1, 2])('with %i server(s)', (replicas) => {
    describe.each(['the README’s two functions', 'a cookie client', 'the example'])('by %s', (called) => {
      let frontEnd: FrontEnd;
      beforeAll(async () => {
        const all = [bearerFrontEnd, cookieFrontEnd, await exampleFrontEnd(front.url)];
        frontEnd = all.find((each) => each.name === called) ?? bearerFrontEnd;
        serve(frontEnd, replicas);
      });

      it('lives on after a reload, Back, the same callback in two tabs, and another scan of the old QR code', async () => {
        const person = someone();
        const tab = await start(frontEnd);
        const other = await tabOf(profiles[0]);
        const qrPage = await tab.address();
        const callback = await callbackAfterScan(world.wechat, qrPage, person);

        await Promise.all([tab.open(callback), other.open(callback)]);
        const who = [await frontEnd.who(tab)];
        const problems = [await frontEnd.problem(other)];
        await tab.reload();
        who.push(await frontEnd.who(tab));
        await tab.back();
        who.push(await whoLater(tab, frontEnd));
        await tab.open(callback);
        problems.push(await frontEnd.problem(tab));
        await tab.open(qrPage);
        await scan(tab, person);
        problems.push(await frontEnd.problem(tab));
        who.push(await whoLater(tab, frontEnd));

        expect(who).toEqual(Array(4).fill(person.nickname));
        expect(problems).toEqual(Array(3).fill(expect.stringMatching(/did not start|state_mismatch/)));
        expect(await sessionsOf(person)).toEqual(one);
        await Promise.all([tab.close(), other.close()]);
      }, 180_000);

      it(`is one session when the token request is sent twice, ${gaps.join(', ')} ms apart`, async () => {
        const outcomes = await Promise.all(
          gaps.map(async (gap, index) => {
            const person = someone();
            const tab = await start(frontEnd, profiles[index], gap);
            await scan(tab, person);
            const who = (await frontEnd.who(tab)) === person.nickname;
            const repeated = await tab.run('window.repeated');
            await tab.run(`sessionStorage.removeItem('gap')`);
            const later = (await whoLater(tab, frontEnd)) === person.nickname;
            await tab.close();
            return { gap, who, repeated, later, sessions: await sessionsOf(person) };
          }),
        );

        expect(outcomes).toEqual(
          gaps.map((gap) => ({ gap, who: true, repeated: 200, later: true, sessions: one })),
        );
      }, 180_000);
    });

    describe('by a front-end that keeps code and verifier', () => {
      beforeAll(() => serve(forgetfulFrontEnd, replicas));

      it('is the same session after a reload within the grace', async () => {
        const person = someone();
        const tab = await signIn(forgetfulFrontEnd, person);

        await tab.reload();

        expect(await forgetfulFrontEnd.who(tab)).toBe(person.nickname);
        expect(new URL(await tab.address()).searchParams.has('code')).toBe(true);
        expect(await sessionsOf(person)).toEqual(one);
        await tab.close();
      }, 180_000);

      it('is ended by a reload after the grace, and the person signs in anew', async () => {
        const person = someone();
        const tab = await signIn(forgetfulFrontEnd, person);
        await outlastGrace(world);

        await tab.reload();

        expect(await forgetfulFrontEnd.problem(tab)).toBe('invalid_grant');
        expect(await sessionsOf(person)).toEqual([{ end_reason: 'code_reused' }]);
        await tab.close();
        await (await signIn(forgetfulFrontEnd, person)).close();
        expect(await sessionsOf(person)).toContainEqual({ end_reason: null });
      }, 180_000);
    });
  });
});
