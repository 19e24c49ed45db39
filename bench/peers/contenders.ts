import type { Agent } from 'undici';
import type { Person, WechatEmulator } from '../../emulator/index.js';
import type { Replica } from '../host/replica.js';
import type { Step } from '../measure/operation.js';
import { approve, readTokens, signIn, tokenForm, wechatStep } from '../sign-in/redirect-client.js';
import { Browser, type PageResponse } from './browser.js';

/** What a browser meets. */
export interface Scene {
  readonly wechat: WechatEmulator;
  readonly publicUrl: string;
  readonly agent: Agent;
}

/** Signs somebody in with a new browser; gives the headers that open the guarded route. */
export type SignIn = (person: Person, step: Step) => Promise<Readonly<Record<string, string>>>;

/** How browsers sign in with a host. */
export interface Contender {
  readonly name: string;
  /** The file in `hosts/`; null: this module. */
  readonly file: string | null;
  createSignIn(replica: Replica, scene: Scene): Promise<SignIn>;
}

/** The one that the others are compared with. */
export const yardstick = 'Nest + better-auth';

const thisModule: Contender = {
  name: 'Nest + this module',
  file: null,
  createSignIn: async (replica, scene) => async (person, step) => {
    const { accessToken } = await signIn({ replica, ...scene }, person, step);
    return { authorization: `Bearer ${accessToken}` };
  },
};

const betterAuth: Contender = {
  name: yardstick,
  file: 'better-auth.mjs',
  createSignIn:
    async ({ url }, scene) =>
    async (person, step) => {
      const browser = new Browser(url, scene.publicUrl, scene.agent);
      const started = await step('start', () =>
        browser.visit('/api/auth/sign-in/social', {
          method: 'POST',
          headers: { 'content-type': 'application/json', origin: scene.publicUrl },
          body: JSON.stringify({ provider: 'wechat', callbackURL: '/done' }),
        }),
      );
      const answer: unknown = JSON.parse(started.text);
      if (typeof answer !== 'object' || answer === null || !('url' in answer)) throw unexpected(started);
      return returnFromWechat(scene, browser, { person, step, authorizeUrl: new URL(String(answer.url)) });
    },
};

const passportWechat: Contender = {
  name: 'Express + passport-wechat',
  file: 'passport-wechat.mjs',
  createSignIn:
    async ({ url }, scene) =>
    async (person, step) => {
      const browser = new Browser(url, scene.publicUrl, scene.agent);
      const started = await step('start', () => browser.visit('/auth/wechat'));
      if (started.location === null) throw unexpected(started);
      return returnFromWechat(scene, browser, { person, step, authorizeUrl: started.location });
    },
};

/** Every browser has the CSRF token already, which a page of the host gave it. */
const authCore: Contender = {
  name: 'Express + @auth/core',
  file: 'auth-core.mjs',
  createSignIn: async ({ url }, scene) => {
    const page = new Browser(url, scene.publicUrl, scene.agent);
    const answer: unknown = JSON.parse((await page.visit('/auth/csrf')).text);
    if (typeof answer !== 'object' || answer === null || !('csrfToken' in answer))
      throw new Error('no token');
    const form = new URLSearchParams({
      csrfToken: String(answer.csrfToken),
      callbackUrl: '/done',
    }).toString();
    return async (person, step) => {
      const browser = new Browser(url, scene.publicUrl, scene.agent);
      browser.copyCookies(page);
      const started = await step('start', () =>
        browser.visit('/auth/signin/wechat', {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: form,
        }),
      );
      if (started.location === null) throw unexpected(started);
      return returnFromWechat(scene, browser, { person, step, authorizeUrl: started.location });
    };
  },
};

/** What the requests, the call, the statements and the signature of this module's sign-in cost in a host that does nothing else. */
const floor: Contender = {
  name: 'Nest, the requests alone',
  file: 'floor.mjs',
  createSignIn:
    async ({ url }, scene) =>
    async (person, step) => {
      const browser = new Browser(url, scene.publicUrl, scene.agent);
      const started = await step('start', () => browser.visit('/floor/authorize'));
      if (started.location === null) throw unexpected(started);
      const authorizeUrl = started.location;
      const callback = await step(wechatStep, () => approve(scene.wechat, authorizeUrl, person));
      const returned = await step('callback', () => browser.visit(callback.pathname + callback.search));
      const code = returned.location?.searchParams.get('code');
      if (typeof code !== 'string') throw unexpected(returned);
      const form = { method: 'POST' as const, ...tokenForm({ code }) };
      const redeemed = await step('token', () => browser.visit('/floor/token', form));
      return { authorization: `Bearer ${readTokens(redeemed.text).accessToken}` };
    },
};

/** In the order of the tables. */
export const contenders: readonly Contender[] = [thisModule, betterAuth, passportWechat, authCore, floor];

interface Visit {
  readonly person: Person;
  readonly step: Step;
  readonly authorizeUrl: URL;
}

async function returnFromWechat(scene: Scene, browser: Browser, { person, step, authorizeUrl }: Visit) {
  const callback = await step(wechatStep, () => approve(scene.wechat, authorizeUrl, person));
  const returned = await step('callback', () => browser.visit(callback.pathname + callback.search));
  if (returned.location?.pathname !== '/done') throw unexpected(returned);
  return { cookie: browser.cookie };
}

function unexpected({ status, location, text }: PageResponse): Error {
  return new Error(`unexpected response ${status} ${location?.href ?? ''} ${text.slice(0, 200)}`);
}
