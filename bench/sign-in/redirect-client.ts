import { createHash, randomBytes } from 'node:crypto';
import { request } from 'undici';
import type { Person, WechatEmulator } from '../../emulator/index.js';
import { redirectUriOf } from '../host/host-app.js';
import type { Step } from '../measure/operation.js';
import type { World } from '../world.js';

/** What a front-end holds after a sign-in. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
}

const userAgent =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';

/** The step of a sign-in that is the emulator's and the phone's work alone. */
export const wechatStep = 'WeChat: QR page, scan, confirm';

/** What every request of a PC's browser carries. */
export const browserHeaders = { 'user-agent': userAgent, accept: 'text/html,*/*;q=0.8' };

/** The path that starts a redirect sign-in. */
export function authorizePath(publicUrl: string, codeChallenge: string, provider = 'wechat'): string {
  const parameters = new URLSearchParams({
    response_type: 'code',
    client_id: 'web',
    redirect_uri: redirectUriOf(publicUrl),
    state: 'client-state',
    code_challenge: codeChallenge,
    code_challenge_method: 'S256',
    provider,
  });
  return `/iam/authorize?${parameters.toString()}`;
}

/** A form for `/iam/token`. */
export function tokenForm(fields: Readonly<Record<string, string>>) {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  return { headers, body: new URLSearchParams({ client_id: 'web', ...fields }).toString() };
}

/** Reads a token answer. */
export function readTokens(body: string): Tokens {
  const answer: unknown = JSON.parse(body);
  if (
    typeof answer !== 'object' ||
    answer === null ||
    !('access_token' in answer && 'refresh_token' in answer)
  )
    throw new Error(`no tokens: ${body.slice(0, 200)}`);
  return { accessToken: String(answer.access_token), refreshToken: String(answer.refresh_token) };
}

type Scene = Pick<World, 'wechat' | 'replica' | 'agent' | 'publicUrl'>;

/** Signs a person in on a PC: start, scan and confirmation on the emulator's phone, callback, tokens. */
export async function signIn(world: Scene, person: Person, step: Step): Promise<Tokens> {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const started = await step('start', () => visit(world, authorizePath(world.publicUrl, challenge)));
  const callback = await step(wechatStep, () => approve(world.wechat, started.location, person));
  const returned = await step('callback', () =>
    visit(world, callback.pathname + callback.search, started.cookie),
  );
  const code = returned.location.searchParams.get('code');
  if (code === null) throw new Error(`no code: ${returned.location.href}`);
  return step('token', () => redeem(world, code, verifier));
}

async function visit({ replica, agent }: Scene, path: string, cookie = '') {
  const headers = { ...browserHeaders, cookie };
  const {
    statusCode,
    headers: answered,
    body,
  } = await request(replica.url + path, { dispatcher: agent, headers });
  const text = await body.text();
  const { location, 'set-cookie': setCookie = '' } = answered;
  if (typeof location !== 'string') throw new Error(`${path} answered ${statusCode}: ${text.slice(0, 200)}`);
  const [newCookie = ''] = String(setCookie).split(';');
  return { location: new URL(location), cookie: newCookie };
}

/** Opens WeChat's QR page, scans and confirms; where the page goes then. */
export async function approve(wechat: WechatEmulator, location: URL, person: Person): Promise<URL> {
  const screen = await wechat.showQrCode(location.href);
  await person.scan(screen.content);
  await person.confirm();
  const { redirectTo } = await screen.finish();
  if (redirectTo === undefined) throw new Error('the QR page did not leave');
  return new URL(redirectTo);
}

async function redeem({ replica, agent, publicUrl }: Scene, code: string, verifier: string): Promise<Tokens> {
  const form = tokenForm({
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUriOf(publicUrl),
    code_verifier: verifier,
  });
  const answer = await request(`${replica.url}/iam/token`, { method: 'POST', dispatcher: agent, ...form });
  return readTokens(await answer.body.text());
}
