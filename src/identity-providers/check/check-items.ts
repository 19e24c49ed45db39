import type { Language } from '../../http/user-agent.js';
import { z } from 'zod';
import { localFindings, type CheckText, type FindingText } from './local-findings.js';
import { wechatFindings } from './wechat-findings.js';

/** The part of a provider that an item belongs to. */
export type CheckArea = 'open' | 'mp' | 'mini' | 'mobile' | 'server' | 'row';

/** An item of the check; `where` is the place to correct it. */
interface CheckDescription {
  readonly area: CheckArea;
  readonly title: CheckText;
  readonly where: CheckText;
}

const text = (zh: string, en: string): CheckText => ({ zh, en });

const row = text('本登录入口的配置（identity_providers 的这一行）', 'The identity provider row here');
const options = text('应用的 IamModule 选项', 'The options of IamModule in your application');
/** WeChat's consoles are in Chinese: the English texts keep the names on the screen. */
const openConsole = '微信开放平台 open.weixin.qq.com';
const mpConsole = '微信公众平台 mp.weixin.qq.com → 设置与开发';
const miniConsole = '微信公众平台 mp.weixin.qq.com（小程序）';
const inConsole = (place: string): CheckText => text(place, `WeChat's console: ${place}`);

/** The items of the check, by their stable id. */
export const checks = {
  'row.enabled': { area: 'row', title: text('是否启用', 'Switched on'), where: row },
  'row.secrets': { area: 'row', title: text('密钥能否解密', 'Secrets can be opened'), where: row },
  'row.methods': { area: 'row', title: text('可用的登录方式', 'Ways to sign in'), where: row },
  'row.sign_up': { area: 'row', title: text('新用户', 'People not seen before'), where: row },
  'row.union_scope': { area: 'row', title: text('unionid 范围', 'Scope of unionids'), where: row },
  'server.public_url': { area: 'server', title: text('公开地址', 'Public address'), where: options },
  'server.wechat': { area: 'server', title: text('能否连接微信', 'WeChat can be reached'), where: options },
  'open.credentials': {
    area: 'open',
    title: text('网站应用的 AppID 与 AppSecret', 'AppID and AppSecret of the website app'),
    where: inConsole(`${openConsole} → 网站应用 → AppSecret`),
  },
  'open.callback_domain': {
    area: 'open',
    title: text('网站应用的授权回调域', 'Callback domain of the website app (授权回调域)'),
    where: inConsole(`${openConsole} → 网站应用 → 授权回调域`),
  },
  'mp.credentials': {
    area: 'mp',
    title: text('服务号的 AppID 与 AppSecret', 'AppID and AppSecret of the Official Account'),
    where: inConsole(`${mpConsole} → 基本配置 → AppSecret`),
  },
  'mp.ip_whitelist': {
    area: 'mp',
    title: text('服务号的 IP 白名单', 'IP whitelist of the Official Account (IP白名单)'),
    where: inConsole(`${mpConsole} → 基本配置 → IP白名单`),
  },
  'mp.oauth_domain': {
    area: 'mp',
    title: text('服务号的网页授权域名', 'OAuth domain of the Official Account (网页授权域名)'),
    where: inConsole(`${mpConsole} → 网页授权域名`),
  },
  'mp.qr_login': { area: 'mp', title: text('扫码关注登录', 'Follow-to-login'), where: row },
  'mp.qr_code': {
    area: 'mp',
    title: text('生成带参数二维码的权限', 'Permission to make QR codes (带参数的二维码)'),
    where: inConsole(`${mpConsole} → 接口权限`),
  },
  'mp.webhook': {
    area: 'mp',
    title: text('服务器地址（URL）', 'Server URL (服务器配置)'),
    where: inConsole(`${mpConsole} → 开发接口管理 → 服务器配置`),
  },
  'mp.token': { area: 'mp', title: text('令牌（Token）', 'Token of the server URL'), where: row },
  'mp.encoding_aes_key': {
    area: 'mp',
    title: text('消息加解密密钥（EncodingAESKey）', 'EncodingAESKey of the server URL'),
    where: row,
  },
  'mp.shared_keys': {
    area: 'mp',
    title: text('与其他登录入口的密钥是否一致', 'Keys of other providers with the same app'),
    where: row,
  },
  'mp.message_mode': { area: 'mp', title: text('消息加解密方式', 'How messages are encrypted'), where: row },
  'mp.rotation': {
    area: 'mp',
    title: text('Token 与密钥的更换', 'Change of Token or EncodingAESKey'),
    where: row,
  },
  'mini.credentials': {
    area: 'mini',
    title: text('小程序的 AppID 与 AppSecret', 'AppID and AppSecret of the mini program'),
    where: inConsole(`${miniConsole} → AppSecret`),
  },
  'mini.ip_whitelist': {
    area: 'mini',
    title: text('小程序的 IP 白名单', 'IP whitelist of the mini program (IP白名单)'),
    where: inConsole(`${miniConsole} → IP白名单`),
  },
  'mobile.credentials': {
    area: 'mobile',
    title: text('移动应用的 AppID 与 AppSecret', 'AppID and AppSecret of the mobile app'),
    where: inConsole(`${openConsole} → 移动应用 → AppSecret`),
  },
} as const satisfies Readonly<Record<string, CheckDescription>>;

/** The stable id of an item. */
export type CheckId = keyof typeof checks;

const findings = { ...localFindings, ...wechatFindings };

/** The stable key of a finding. */
export type FindingKey = keyof typeof findings;

/** The result for one item; a fact is never a secret. */
export interface Finding {
  readonly id: CheckId;
  readonly key: FindingKey;
  readonly facts: Readonly<Record<string, string>>;
}

/** An item of the check in a response. */
export const checkItem = z.object({
  id: z.string(),
  area: z.enum(['open', 'mp', 'mini', 'mobile', 'server', 'row']),
  status: z.enum(['ok', 'warning', 'error', 'unknown']),
  finding: z.string(),
  title: z.string(),
  detail: z.string(),
  remedy: z.string().nullable(),
  where: z.string().nullable(),
  facts: z.record(z.string(), z.string()),
});

/** Translates a finding; `where` is null without a remedy. */
export function toCheckItem({ id, key, facts }: Finding, language: Language): z.infer<typeof checkItem> {
  const { area, title, where } = checks[id];
  const { status, detail, remedy }: FindingText = findings[key];
  return {
    id,
    area,
    status,
    finding: key,
    title: title[language],
    detail: fill(detail[language], facts),
    remedy: remedy === null ? null : fill(remedy[language], facts),
    where: status === 'ok' || remedy === null ? null : where[language],
    facts,
  };
}

/** True for a finding that prevents sign-ins. */
export function isError({ key }: Finding): boolean {
  return findings[key].status === 'error';
}

/** True for a finding that operators see in the row without a check. */
export function isProblem({ key }: Finding): boolean {
  const { status } = findings[key];
  return status === 'error' || status === 'warning';
}

function fill(text: string, facts: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (placeholder, name: string) => facts[name] ?? placeholder);
}

/** `POST /admin/providers/{slug}/check`; `ok` when no item is an error. */
export const checkView = z.object({ ok: z.boolean(), items: z.array(checkItem) });

/** The server's address is not in WeChat's IP whitelist. */
export const checkExample: z.infer<typeof checkView> = {
  ok: false,
  items: [
    {
      id: 'mp.ip_whitelist',
      area: 'mp',
      status: 'error',
      finding: 'ip_refused',
      title: '服务号的 IP 白名单',
      detail: '微信拒绝了本服务器的地址 203.0.113.7（errcode 40164）。',
      remedy: '把 203.0.113.7 与其他出口地址加入 IP 白名单，5 到 10 分钟后生效。',
      where: '微信公众平台 mp.weixin.qq.com → 设置与开发 → 基本配置 → IP白名单',
      facts: { appid: 'wx0123456789abcdef', errcode: '40164', address: '203.0.113.7' },
    },
  ],
};
