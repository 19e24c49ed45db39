import type { WechatEmulator } from '../emulator/index.js';

/** Fixed, with the seed: a row that was made for one run works in the next, and people keep their openids. */
const demo = {
  site: { appid: 'wxdea0000000000001', secret: 'demo-secret-of-the-website-app-1' },
  account: { appid: 'wxdea0000000000002', secret: 'demo-secret-of-the-account-00001' },
  server: { token: 'demoToken', encodingAesKey: 'demoEncodingAESKey0000000000000000000000000' },
} as const;

const people = [
  { id: 'lan', nickname: '小兰' },
  { id: 'wei', nickname: '阿伟' },
  { id: 'grace', nickname: 'Grace 🌸' },
] as const;

/** A code challenge that is good enough to look at the sign-in: that of RFC 7636, appendix B. */
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

/** The seed of the demo's world. */
export const DEMO_SEED = 'demo';

/** What to do next with the demo's world. */
export interface DemoWorld {
  readonly people: readonly string[];
  readonly phone: string;
  /** For the option `wechat` of IamModule. */
  readonly option: string;
  /** Makes the provider row. */
  readonly sql: string;
  /** Where a sign-in begins, for a client `web` whose redirect URI is `/signed-in` of the application. */
  readonly signIn: string;
}

/** Fills an empty world with the apps of an application at `appUrl`, and with people. */
export function makeDemoWorld(wechat: WechatEmulator, appUrl: string): DemoWorld {
  const domain = new URL(appUrl).hostname;
  const owner = wechat.openPlatformAccount();
  owner.websiteApp({ ...demo.site, name: 'Demo', callbackDomain: domain });
  owner.officialAccount({
    ...demo.account,
    ...demo.server,
    name: 'Demo',
    oauthDomain: domain,
    serverUrl: `${appUrl}/iam/webhook/wechat`,
    mode: 'safe',
  });
  for (const person of people) wechat.person(person);
  const { api, open, mp } = wechat.endpoints;
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'web',
    redirect_uri: `${appUrl}/signed-in`,
    provider: 'wechat',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  });
  return {
    people: people.map(({ nickname }) => nickname),
    phone: `${open}/phone`,
    option: `wechat: { endpoints: { api: '${api}', open: '${open}', mp: '${mp}' } }`,
    sql: rowSql(),
    signIn: `${appUrl}/iam/authorize?${query.toString()}`,
  };
}

/** The steps, in words. */
export function describeDemoWorld({ people: names, phone, option, sql, signIn }: DemoWorld): string {
  return [
    `It has the apps of one website and Official Account, and people: ${names.join(', ')}. Next:`,
    `1. Give your application this WeChat, as an option of IamModule:`,
    `     ${option}`,
    `2. Make its provider row in your database, e.g. with psql:`,
    `     ${sql}`,
    `3. Start your application and begin a sign-in (client "web"; another address than this one: --app URL):`,
    `     ${signIn}`,
    `4. Scan with a phone, in another tab:`,
    `     ${phone}`,
  ].join('\n');
}

function rowSql(): string {
  const { site, account, server } = demo;
  const row = {
    slug: 'wechat',
    name: '微信',
    open_app_id: site.appid,
    open_app_secret: `plain:${site.secret}`,
    mp_app_id: account.appid,
    mp_app_secret: `plain:${account.secret}`,
    mp_token: `plain:${server.token}`,
    mp_encoding_aes_key: `plain:${server.encodingAesKey}`,
  };
  const values = Object.values(row).map((value) => `'${value}'`);
  return `INSERT INTO iam.identity_providers (${Object.keys(row).join(', ')}) VALUES (${values.join(', ')});`;
}
