import {
  strictRules,
  WechatEmulator,
  type EmulatorRules,
  type OfficialAccount,
  type OpenPlatformAccount,
  type Person,
  type WebsiteApp,
} from '../../../emulator/index.js';
import { Listener } from './listener.js';

/** A platform with one account, a website app, an Official Account, a person, and an app for them to reach. */
export interface Stage {
  readonly wechat: WechatEmulator;
  readonly account: OpenPlatformAccount;
  readonly site: WebsiteApp;
  readonly oa: OfficialAccount;
  readonly lan: Person;
  readonly app: Listener;
}

/** Sets the stage anew before each test, under strict rules unless told otherwise, and clears it afterwards. */
export function useStage(rules: Partial<EmulatorRules> = strictRules): () => Stage {
  let stage: Stage | undefined;
  beforeEach(async () => {
    const wechat = await WechatEmulator.start({ rules });
    const app = await Listener.start();
    const account = wechat.openPlatformAccount();
    const site = account.websiteApp({ callbackDomain: '127.0.0.1' });
    const oa = account.officialAccount({ oauthDomain: '127.0.0.1', serverUrl: `${app.origin}/wechat` });
    stage = { wechat, account, site, oa, lan: wechat.person({ nickname: '小兰' }), app };
  });
  afterEach(async () => {
    await stage?.wechat.stop();
    await stage?.app.stop();
  });
  return () => {
    if (!stage) throw new Error('the stage is set in beforeEach');
    return stage;
  };
}

/** The page of an Official Account's OAuth, with the documented order of parameters. */
export function authorizeUrl({ wechat, oa, app }: Stage, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({
    appid: oa.appid,
    redirect_uri: `${app.origin}/callback`,
    response_type: 'code',
    scope: 'snsapi_userinfo',
    state: 'abc123',
    ...more,
  });
  return `${wechat.endpoints.open}/connect/oauth2/authorize?${query.toString()}#wechat_redirect`;
}

/** The page of the PC's QR sign-in. */
export function qrconnectUrl({ wechat, site, app }: Stage, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({
    appid: site.appid,
    redirect_uri: `${app.origin}/callback`,
    response_type: 'code',
    scope: 'snsapi_login',
    state: 'xyz',
    ...more,
  });
  return `${wechat.endpoints.open}/connect/qrconnect?${query.toString()}#wechat_redirect`;
}

/** Calls one of the emulator's APIs and returns what it said, as bytes and as JSON. */
export async function callApi(
  { wechat }: Pick<Stage, 'wechat'>,
  path: string,
  query: Record<string, string>,
  init: RequestInit = {},
): Promise<{ readonly response: Response; readonly body: Record<string, unknown> }> {
  const response = await fetch(
    `${wechat.endpoints.api}${path}?${new URLSearchParams(query).toString()}`,
    init,
  );
  const parsed: unknown = JSON.parse(await response.text());
  if (!isRecord(parsed)) throw new Error('the API answered no object');
  return { response, body: parsed };
}

/** Exchanges a code as an app's server would. */
export async function exchange(
  stage: Pick<Stage, 'wechat'>,
  app: { readonly appid: string; readonly secret: string },
  code: string,
): Promise<Record<string, unknown>> {
  const { appid, secret } = app;
  const query = { appid, secret, code, grant_type: 'authorization_code' };
  return (await callApi(stage, '/sns/oauth2/access_token', query)).body;
}

/** The code in the callback that a page ended at. */
export function codeIn(url: string | undefined): string {
  const code = new URL(url ?? '').searchParams.get('code');
  if (code === null) throw new Error(`no code in ${url ?? 'nothing'}`);
  return code;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Any text that fits, as part of an expected object. */
export function textLike(pattern: RegExp): unknown {
  return expect.stringMatching(pattern);
}

/** A base access token of the Official Account. */
export async function baseToken({
  wechat,
  oa,
}: {
  readonly wechat: WechatEmulator;
  readonly oa: { readonly appid: string; readonly secret: string };
}): Promise<string> {
  const body = { grant_type: 'client_credential', appid: oa.appid, secret: oa.secret };
  const answer = await callApi(
    { wechat },
    '/cgi-bin/stable_token',
    {},
    { method: 'POST', body: JSON.stringify(body) },
  );
  return String(answer.body['access_token']);
}

/** Posts JSON to an API with the Official Account's token. */
export async function postApi(stage: Stage, path: string, body: unknown): Promise<Record<string, unknown>> {
  const query = { access_token: await baseToken(stage) };
  return (await callApi(stage, path, query, { method: 'POST', body: JSON.stringify(body) })).body;
}

/** A parametric QR code with a scene string. */
export async function createQrCode(
  stage: Stage,
  scene: string,
  seconds = 600,
): Promise<Record<string, string>> {
  const body = {
    expire_seconds: seconds,
    action_name: 'QR_STR_SCENE',
    action_info: { scene: { scene_str: scene } },
  };
  const answer = await postApi(stage, '/cgi-bin/qrcode/create', body);
  return Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, String(value)]));
}
