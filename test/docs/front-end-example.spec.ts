import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { decideOnPhone, scanAndFollow, startFollowWorld } from '../support/follow.js';
import { freePort } from '../../example/postgres/free-port.js';
import { startWorld, type World } from '../support/iam-app.js';
import { PcBrowser } from '../support/pc-browser.js';
import { rowsOf } from '../support/rows.js';
import { callbackAfterScan, getWith } from '../support/sign-in.js';
import { BrowserTab, loadModule } from './browser-tab.js';
import { runExample, type RunningExample } from './example-process.js';
import { exampleOf } from './pages.js';

type AsyncFunction = (...input: unknown[]) => Promise<unknown>;

const asyncFunction = z.custom<AsyncFunction>((value) => typeof value === 'function');

const tokens = z.object({ access_token: z.string(), refresh_token: z.string(), expires_in: z.number() });

const started = z.object({
  verification_uri_complete: z.string(),
  qr_image: z.string(),
  events_uri: z.string(),
});

describe('the front-end example, run as it is', () => {
  const browser = new PcBrowser();
  let world: World;
  let tab: BrowserTab;

  beforeAll(async () => {
    world = await startWorld();
    tab = new BrowserTab(world.url);
    tab.show();
  });
  afterAll(async () => {
    tab.close();
    await world.close();
  });

  const load = async () => {
    const page = await loadModule(exampleOf('docs/guides/front-end.md', 'front-end').code);
    return z.object({ signIn: asyncFunction, finishSignIn: asyncFunction }).parse(page);
  };

  it('signs a person in, from the start to tokens that the guard admits', async () => {
    const { signIn, finishSignIn } = await load();
    const lan = world.wechat.person({ nickname: '小兰' });

    await signIn('wechat');
    const start = await browser.visit(tab.wentTo);
    const back = await browser.visit(await callbackAfterScan(world.wechat, String(start.location), lan));
    tab.show(back.location?.search);
    const finishing = finishSignIn();
    const left = tab.left('sign-in');
    const issued = tokens.parse(await finishing);

    expect(left).toEqual({ search: '', kept: null });
    const me = await getWith(`${world.url}/iam/me`, issued.access_token);
    expect(me.json()).toMatchObject({ nickname: '小兰' });
    await expect(finishSignIn()).rejects.toThrow('did not start');
    expect((await getWith(`${world.url}/iam/me`, issued.access_token)).status).toBe(200);
  });

  it('refuses an answer to a sign-in that another page started', async () => {
    const { finishSignIn } = await load();
    tab.show('?code=x&state=another');

    await expect(finishSignIn()).rejects.toThrow('did not start');
  });

  it('reports the error of a start that cannot go on', async () => {
    const { signIn, finishSignIn } = await load();

    await signIn('nowhere');
    const back = await browser.visit(tab.wentTo);
    tab.show(back.location?.search);

    await expect(finishSignIn()).rejects.toThrow('provider_not_found');
  });
});

describe('the example of the device grant, run as it is', () => {
  let world: World;
  let tab: BrowserTab;

  beforeAll(async () => {
    world = await startFollowWorld({ qr_confirmation: 'tap' });
    tab = new BrowserTab(world.url);
    tab.show();
  });
  afterAll(async () => {
    tab.close();
    await world.close();
  });

  const load = async () => {
    const page = await loadModule(exampleOf('docs/guides/follow-to-login.md', 'device-grant').code);
    return z.object({ signInByFollowing: asyncFunction }).parse(page);
  };

  it('shows a QR code and ends with tokens once the phone has confirmed', async () => {
    const { signInByFollowing } = await load();
    const lan = world.wechat.person({ nickname: '小兰' });

    let signingIn: Promise<unknown> = Promise.resolve();
    const shown = await new Promise((show) => {
      signingIn = signInByFollowing('wechat', show);
    });
    const { verification_uri_complete } = started.parse(shown);
    await scanAndFollow(world, lan, verification_uri_complete);
    await decideOnPhone(world, lan, 'confirm');

    expect(tokens.safeParse(await signingIn).success).toBe(true);
  });

  it('gives the error when there is no such provider', async () => {
    const { signInByFollowing } = await load();

    const answer = await signInByFollowing('nowhere', () => undefined);

    expect(answer).toMatchObject({ error: 'provider_not_found' });
  });
});

describe('the embedding example, run as it is', () => {
  let database: TestDatabase;
  let url: string;
  let running: RunningExample | undefined;

  beforeAll(async () => {
    database = await createDatabase();
    const port = String(await freePort());
    url = `http://localhost:${port}`;
    const env = { DATABASE_URL: database.url, IAM_KEY: randomBytes(32).toString('base64'), PORT: port };
    running = await runExample(exampleOf('README.md', 'embed'), env, url);
  }, 90_000);

  afterAll(async () => {
    await running?.stop();
    await database.drop();
  });

  const providers = async (): Promise<unknown> => (await fetch(`${url}/iam/providers`)).json();

  it('has migrated the database and serves the endpoints', async () => {
    const answer = await fetch(`${url}/iam/providers`);

    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ providers: [] });
  });

  it('guards its route', async () => {
    expect((await fetch(`${url}/orders`)).status).toBe(401);
  });

  it('has the provider row of the SQL example within 5 seconds, its secrets sealed', async () => {
    await providers();
    const dataSource = await new DataSource({ type: 'postgres', url: database.url }).initialize();
    await dataSource.query(exampleOf('docs/guides/first-provider.md', 'first-row').code);

    const listed = await eventually(providers, (answer) =>
      JSON.stringify(answer).includes('"slug":"wechat"'),
    );

    expect(listed).toMatchObject({ providers: [{ slug: 'wechat', name: '微信', methods: ['open'] }] });
    const [stored] = await rowsOf(
      dataSource,
      'SELECT open_app_secret, mp_app_secret FROM iam.identity_providers',
    );
    expect(stored?.['open_app_secret']).toMatch(/^sealed:/);
    expect(stored?.['mp_app_secret']).toMatch(/^sealed:/);
    await dataSource.destroy();
  });
});

async function eventually<T>(look: () => Promise<T>, isDone: (value: T) => boolean): Promise<T> {
  const giveUpAt = Date.now() + 5_000;
  for (;;) {
    const value = await look();
    if (isDone(value) || Date.now() > giveUpAt) return value;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
