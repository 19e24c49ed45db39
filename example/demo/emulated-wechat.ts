import type { IdentityProviderInput } from 'nestjs-wechat-iam';
import {
  type MiniProgramOptions,
  type OfficialAccountOptions,
  type OpenPlatformAccount,
  WechatEmulator,
} from 'nestjs-wechat-iam/emulator';

const lan = { id: 'lan', nickname: '小兰' };
const people = [lan, { id: 'wei', nickname: '阿伟' }, { id: 'grace', nickname: 'Grace 🌸' }];

/** Appids are registered once, however many rows share them. */
class Registry {
  private readonly accounts = new Map<string, OpenPlatformAccount>();
  private readonly appids = new Set<string>();

  constructor(private readonly wechat: WechatEmulator) {}

  account(scope: string): OpenPlatformAccount {
    const account = this.accounts.get(scope) ?? this.wechat.openPlatformAccount();
    this.accounts.set(scope, account);
    return account;
  }

  /** Calls `register` with the pair when both halves are there and the appid is new. */
  once(
    appid: string | null | undefined,
    secret: string | null | undefined,
    register: (pair: { appid: string; secret: string }) => void,
  ): void {
    if (appid == null || secret == null || this.appids.has(appid)) return;
    this.appids.add(appid);
    register({ appid, secret });
  }
}

/** Two ways to the phone: to choose a person, and 小兰's with the app open in WeChat. */
export function phoneLinks(wechat: WechatEmulator, publicUrl: string): { home: string; inside: string } {
  const home = `${wechat.endpoints.open}/phone`;
  return { home, inside: `${home}?person=${lan.id}&open=${encodeURIComponent(publicUrl)}` };
}

/**
 * A WeChat in which the apps of the rows exist and a few people have phones. The seed is fixed: after a restart the
 * same people have the same openids, so that a kept database still knows them.
 */
export async function startEmulatedWechat(
  port: number,
  publicUrl: string,
  rows: readonly IdentityProviderInput[],
): Promise<WechatEmulator> {
  const wechat = await WechatEmulator.start({ port, seed: 'example' });
  const domain = new URL(publicUrl).hostname;
  const registry = new Registry(wechat);
  for (const row of rows) {
    const account = registry.account(row.union_scope ?? row.slug);
    registry.once(row.open_app_id, row.open_app_secret, (pair) =>
      account.websiteApp({ ...pair, name: '山茶小铺', callbackDomain: domain }),
    );
    registry.once(row.mp_app_id, row.mp_app_secret, (pair) =>
      account.officialAccount({
        ...pair,
        ...serverOf(pair.appid, rows, publicUrl),
        name: '山茶小铺',
        oauthDomain: domain,
      }),
    );
    registry.once(row.mini_app_id, row.mini_app_secret, (pair) =>
      account.miniProgram({ ...pair, name: '山茶小铺', ...approvalOf(row, publicUrl) }),
    );
    registry.once(row.mobile_app_id, row.mobile_app_secret, (pair) => account.mobileApp(pair));
  }
  for (const person of people) wechat.person(person);
  return wechat;
}

/** What `example/mini-program/` is published as: the emulator's phones play its page. */
function approvalOf(
  { slug, mini_approval_page: page }: IdentityProviderInput,
  publicUrl: string,
): Pick<MiniProgramOptions, 'pages' | 'approvalPage'> {
  if (page == null) return {};
  const server = `${publicUrl}/iam`;
  return { pages: ['pages/home/home'], approvalPage: { page, server, clientId: 'web', provider: slug } };
}

/** The server configuration that somebody would type into the Official Account's console: it has room for one URL. */
function serverOf(
  appid: string,
  rows: readonly IdentityProviderInput[],
  publicUrl: string,
): Partial<OfficialAccountOptions> {
  const row = rows.find(({ mp_app_id, mp_token }) => mp_app_id === appid && mp_token != null);
  if (row?.mp_token == null) return {};
  const { slug, mp_token: token, mp_encoding_aes_key: key, mp_message_mode: mode } = row;
  return {
    serverUrl: `${publicUrl}/iam/webhook/${slug}`,
    token,
    ...(key != null && { encodingAesKey: key }),
    ...(mode !== undefined && { mode }),
  };
}
