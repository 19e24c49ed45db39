import { type Decision, decisionPage, type Fact } from '../http/decision-page.js';
import type { IamResponse } from '../http/iam-response.js';
import { describeAgent, type Language } from '../http/user-agent.js';
import type { QrLogin } from './qr-login.js';

/** Texts that every question shows about its request. */
const texts = {
  zh: {
    site: '网站',
    application: '应用',
    address: '网络地址',
    time: '时间',
    unknown: '未知',
    zone: '（北京时间）',
  },
  en: {
    site: 'Site',
    application: 'Application',
    address: 'Address',
    time: 'Time',
    unknown: 'unknown',
    zone: ' (Beijing)',
  },
} as const;

/** The request that a question is about, and where its decision goes. */
export interface AskedLogin extends Pick<Decision, 'language' | 'action' | 'fields'> {
  readonly siteName: string;
  /** Where the person signs in; see `ClientRegistry.nameOf`. */
  readonly application: string | null;
  readonly login: QrLogin;
}

/** What differs between the questions. */
interface Question extends Pick<Decision, 'title' | 'id' | 'intro' | 'input' | 'warning' | 'goOn'> {
  /** The name of the fact that says which browser or device asks. */
  readonly requester: string;
  readonly person?: Fact | undefined;
}

/** Asks whether a login may go on: who wants it, from where, since when. */
export function questionPage(asked: AskedLogin, question: Question): IamResponse {
  const { siteName, application, login, ...form } = asked;
  const { requester, person, ...rest } = question;
  const { language } = form;
  const { site, application: named, address, time, unknown } = texts[language];
  return decisionPage({
    ...form,
    ...rest,
    facts: [
      [site, siteName],
      application === null ? undefined : [named, application],
      [requester, describeAgent(login.user_agent, language)],
      [address, login.ip ?? unknown],
      [time, formatTime(login.created_at, language)],
      person,
    ],
  });
}

/** A moment as the person at the page reads it. */
function formatTime(at: Date, language: Language): string {
  const locale = language === 'zh' ? 'zh-CN' : 'en-GB';
  const format = { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'Asia/Shanghai' } as const;
  return `${new Intl.DateTimeFormat(locale, format).format(at)}${texts[language].zone}`;
}
