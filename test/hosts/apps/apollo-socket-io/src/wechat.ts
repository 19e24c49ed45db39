import {
  WechatEmulator,
  type OfficialAccount,
  type Person,
  type WebsiteApp,
} from 'nestjs-wechat-iam/emulator';

export interface Wechat {
  readonly emulator: WechatEmulator;
  readonly site: WebsiteApp;
  readonly account: OfficialAccount;
  readonly lan: Person;
}

/** A WeChat with a website app and an Official Account of one owner, and a person. */
export async function startWechat(): Promise<Wechat> {
  const emulator = await WechatEmulator.start();
  const owner = emulator.openPlatformAccount();
  const site = owner.websiteApp({ callbackDomain: 'localhost' });
  const account = owner.officialAccount({ oauthDomain: 'localhost' });
  return { emulator, site, account, lan: emulator.person({ nickname: '小兰 🌸' }) };
}
