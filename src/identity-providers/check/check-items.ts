import type { Language } from '../../http/user-agent.js';
import { z } from 'zod';
import { localFindings, type CheckText, type FindingText } from './local-findings.js';
import { wechatFindings } from './wechat-findings.js';

/** The part of a provider that an item belongs to; its id begins with it. */
const area = z.enum(['open', 'mp', 'mini', 'mobile', 'server', 'row']);

/** An item of the check; `where` is the place to correct it. */
interface CheckDescription {
  readonly title: CheckText;
  readonly where: CheckText;
}

const item = (zh: string, en: string, where: CheckText): CheckDescription => ({ title: { zh, en }, where });

const row = { zh: '本登录入口的配置（identity_providers 的这一行）', en: 'The identity provider row here' };
const options = { zh: '应用的 IamModule 选项', en: 'The options of IamModule in your application' };
/** WeChat's consoles are in Chinese: the English texts keep the names on the screen. */
const inConsole = (place: string): CheckText => ({ zh: place, en: `WeChat's console: ${place}` });
const openConsole = '微信开放平台 open.weixin.qq.com';
const mpConsole = '微信公众平台 mp.weixin.qq.com → 设置与开发';
const miniConsole = '微信公众平台 mp.weixin.qq.com（小程序）';

const credentials = (zh: string, en: string, place: string) =>
  item(`${zh}的 AppID 与 AppSecret`, `AppID and AppSecret of ${en}`, inConsole(`${place} → AppSecret`));
const whitelist = (zh: string, en: string, place: string) =>
  item(`${zh}的 IP 白名单`, `IP whitelist of ${en} (IP白名单)`, inConsole(`${place} → IP白名单`));

/** The items of the check, by their stable id. */
export const checks = {
  'row.enabled': item('是否启用', 'Switched on', row),
  'row.secrets': item('密钥能否解密', 'Secrets can be opened', row),
  'row.methods': item('可用的登录方式', 'Ways to sign in', row),
  'row.sign_up': item('新用户', 'People not seen before', row),
  'row.union_scope': item('unionid 范围', 'Scope of unionids', row),
  'server.public_url': item('公开地址', 'Public address', options),
  'server.wechat': item('能否连接微信', 'WeChat can be reached', options),
  'open.credentials': credentials('网站应用', 'the website app', `${openConsole} → 网站应用`),
  'open.callback_domain': item(
    '网站应用的授权回调域',
    'Callback domain of the website app (授权回调域)',
    inConsole(`${openConsole} → 网站应用 → 授权回调域`),
  ),
  'mp.credentials': credentials('服务号', 'the Official Account', `${mpConsole} → 基本配置`),
  'mp.ip_whitelist': whitelist('服务号', 'the Official Account', `${mpConsole} → 基本配置`),
  'mp.oauth_domain': item(
    '服务号的网页授权域名',
    'OAuth domain of the Official Account (网页授权域名)',
    inConsole(`${mpConsole} → 网页授权域名`),
  ),
  'mp.qr_login': item('电脑上的二维码', 'QR code on PCs', row),
  'mp.qr_code': item(
    '生成带参数二维码的权限',
    'Permission to make QR codes (带参数的二维码)',
    inConsole(`${mpConsole} → 接口权限`),
  ),
  'mp.webhook': item(
    '服务器地址（URL）',
    'Server URL (服务器配置)',
    inConsole(`${mpConsole} → 开发接口管理 → 服务器配置`),
  ),
  'mp.token': item('令牌（Token）', 'Token of the server URL', row),
  'mp.encoding_aes_key': item('消息加解密密钥（EncodingAESKey）', 'EncodingAESKey of the server URL', row),
  'mp.shared_keys': item('与其他登录入口的密钥是否一致', 'Keys of other providers with the same app', row),
  'mp.message_mode': item('消息加解密方式', 'How messages are encrypted', row),
  'mp.rotation': item('Token 与密钥的更换', 'Change of Token or EncodingAESKey', row),
  'mini.credentials': credentials('小程序', 'the mini program', miniConsole),
  'mini.ip_whitelist': whitelist('小程序', 'the mini program', miniConsole),
  'mini.code': item('生成小程序码', 'Mini program code of the page that confirms sign-ins', row),
  'mobile.credentials': credentials('移动应用', 'the mobile app', `${openConsole} → 移动应用`),
} as const satisfies Readonly<Record<string, CheckDescription>>;

/** The stable id of an item. */
type CheckId = keyof typeof checks;

const findings = { ...localFindings, ...wechatFindings };

/** The stable key of a finding. */
export type FindingKey = keyof typeof findings;

/** The result for one item; a fact is never a secret. */
export interface Finding {
  readonly id: CheckId;
  readonly key: FindingKey;
  readonly facts: Readonly<Record<string, string>>;
}

/** A `Finding`. */
export function found(id: CheckId, key: FindingKey, facts: Finding['facts'] = {}): Finding {
  return { id, key, facts };
}

/** An item of the check in a response. */
export const checkItem = z.object({
  id: z.string(),
  area,
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
  const { title, where } = checks[id];
  const { status, detail, remedy }: FindingText = findings[key];
  return {
    id,
    area: area.parse(id.split('.')[0]),
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
