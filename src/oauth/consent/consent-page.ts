import { quotableName } from '../../errors/unknown.js';
import { decisionPage, endPage, quoteAccount } from '../../http/decision-page.js';
import type { Client } from '../../http/client-registry.service.js';
import { escapeHtml } from '../../http/html.js';
import type { IamResponse } from '../../http/iam-response.js';
import { namesOf } from '../../http/request-body.js';
import type { Language } from '../../http/user-agent.js';
import type { AskedConsent } from './client-consents.service.js';

const texts = {
  zh: {
    title: '允许「{app}」使用您的账号？',
    account: '您以「{account}」登录 {site}',
    app: '应用',
    address: '网址',
    returnsTo: '之后前往',
    asks: '它将可以：',
    identity: '识别您：每次登录时知道您是同一个人',
    resource: '代表您访问 {resource}',
    warning:
      '此应用由第三方提供。如果您不认识它，或不是您打开的，请选择“拒绝”。同意后，您可以随时在账号页面中撤回。',
    confirm: '允许',
    ended: ['已处理', '此次登录已完成，请回到应用继续。'],
    goTo: '前往 {app}',
  },
  en: {
    title: 'Let “{app}” use your account?',
    account: 'You are signed in to {site} as “{account}”',
    app: 'Application',
    address: 'Address',
    returnsTo: 'Leads to',
    asks: 'It will be able to:',
    identity: 'Recognize you: know that you are the same person at each sign-in',
    resource: 'Use {resource} on your behalf',
    warning:
      'A third party offers this application. If you do not know it, or have not opened it, choose “Deny”. You can withdraw your consent on your account page at any time.',
    confirm: 'Allow',
    ended: ['Dealt with already', 'This sign-in is finished. Go on in the application.'],
    goTo: 'Go to {app}',
  },
} as const;

/** What a scope lets an application see or do; one that is not named here is shown as it is. */
const scopeTexts: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
  profile: { zh: '看到您的昵称和头像', en: 'See your nickname and picture' },
  phone: { zh: '看到您的手机号码', en: 'See your phone number' },
  roles: { zh: '看到您在 {site} 的角色', en: 'See your roles at {site}' },
  offline_access: {
    zh: '在您不使用它时保持访问，直到您撤回',
    en: 'Keep this access while you are not using it, until you withdraw it',
  },
};

/** A question that the page asks, and where its decision goes. */
interface ConsentQuestion {
  readonly language: Language;
  readonly siteName: string;
  readonly client: Client;
  readonly redirectUri: string;
  readonly login: AskedConsent;
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Asks whether a third party's application may have what it asks for (OpenID Connect Core 3.1.2.4). */
export function consentPage({
  language,
  siteName,
  client,
  login,
  ...question
}: ConsentQuestion): IamResponse {
  const words = texts[language];
  const app = quotableName(client.name) ?? client.id;
  const logo = logoOf(client);
  const asked = askedFor(login, { language, siteName }).map((line) => `<li>${escapeHtml(line)}</li>`);
  const account = quoteAccount(
    words.account.replace('{site}', () => siteName),
    login.nickname,
    language,
  );
  return decisionPage({
    language,
    id: 'consent',
    title: words.title.replace('{app}', () => app),
    intro: `${logo.html}<p class="account">${account}</p>\n`,
    facts: [
      [words.app, client.name],
      client.clientUri === null ? undefined : [words.address, client.clientUri],
      [words.returnsTo, new URL(question.redirectUri).host],
    ],
    action: question.action,
    fields: question.fields,
    input: `<p class="asks">${words.asks}</p>\n<ul class="asks">\n${asked.join('\n')}\n</ul>\n`,
    warning: words.warning,
    goOn: `<button class="yes" name="decision" value="confirm">${words.confirm}</button>`,
    imagesFrom: logo.origin,
    leadsElsewhere: true,
  });
}

/** Where there is nothing to decide any more: a sign-in that was finished in another tab, say. */
export function consentEndPage(language: Language, client: Client, home: string): IamResponse {
  const { ended, goTo } = texts[language];
  const name = escapeHtml(goTo.replace('{app}', () => quotableName(client.name) ?? client.id));
  const wayOn = `<a class="button" href="${escapeHtml(client.clientUri ?? home)}">${name}</a>`;
  return endPage({ language, id: 'consent', ending: ended, wayOn });
}

function askedFor(
  { scope, resources }: AskedConsent,
  { language, siteName }: Pick<ConsentQuestion, 'language' | 'siteName'>,
): string[] {
  const words = texts[language];
  const scopes = namesOf(scope ?? '').filter((name) => name !== 'openid');
  return [
    words.identity,
    ...scopes.map((name) => (scopeTexts[name]?.[language] ?? name).replace('{site}', () => siteName)),
    ...(resources ?? []).map((resource) => words.resource.replace('{resource}', () => resource)),
  ];
}

/** The picture comes from the application's own server, which learns nothing of the person but an address. */
function logoOf({ logoUri }: Client): { readonly html: string; readonly origin?: string } {
  if (logoUri === null) return { html: '' };
  const html = `<img class="logo" src="${escapeHtml(logoUri)}" alt="" width="64" height="64" referrerpolicy="no-referrer">\n`;
  return { html, origin: new URL(logoUri).origin };
}
