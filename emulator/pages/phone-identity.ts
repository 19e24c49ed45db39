import { page, redirect } from '../http/answers.js';
import { decodePercent } from '../http/decode-percent.js';
import { header, type Answer, type Incoming } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { PersonState } from '../world/people.js';
import type { World } from '../world/world.js';
import { html } from './html.js';
import { speakTo } from './language.js';
import { notice } from './layout.js';

/** The header by which the emulator's own web views say whose phone they are. */
export const personHeader = 'x-emulator-person';
/** The header that names the chat a page was opened from, by appid. */
export const chatHeader = 'x-emulator-chat';
/** The header of a web view that has left the snapshot page for the full one. */
export const fullServiceHeader = 'x-emulator-full-service';

const cookieName = 'wechat_emulator_person';

/** WeChat's client puts this word into its User-Agent; the gate looks for nothing else (protocol B.6). */
export function isInsideWechat(incoming: Incoming): boolean {
  return /MicroMessenger/i.test(header(incoming, 'user-agent'));
}

/** Whose phone is asking: a web view says so, any other browser with WeChat's User-Agent remembers its choice. */
export function personOf(world: World, incoming: Incoming): PersonState | undefined {
  const cookie = new RegExp(`(?:^|;\\s*)${cookieName}=([^;]+)`).exec(header(incoming, 'cookie'))?.[1] ?? '';
  const id = header(incoming, personHeader) || cookie;
  const person = world.people.find(decodePercent(id));
  return person?.closed ? undefined : person;
}

/** Asks a browser that only claims to be WeChat who is holding it. */
export function choosePersonPage(world: World, incoming: Incoming): Answer {
  const speak = speakTo(incoming);
  const back = `${incoming.path}?${incoming.rawQuery}`;
  const people = world.people
    .all()
    .filter((person) => !person.closed)
    .map(({ id, nickname }) => {
      const to = `/connect/as?${new URLSearchParams({ person: id, to: back }).toString()}`;
      return html`<p><a class="button quiet" href="${to}">${nickname}</a></p>`;
    });
  return page(
    notice(speak, {
      mark: 'info',
      title: speak('这是谁的微信？', 'Whose WeChat is this?'),
      text: speak('此页面由微信模拟器提供', 'This page comes from the WeChat emulator'),
      more: html`${people}`,
    }),
  );
}

/** The page for browsers that are not WeChat: HTTP 200 and no redirect (protocol B.6). */
export function outsideWechatPage(incoming: Incoming): Answer {
  const speak = speakTo(incoming);
  return page(
    notice(speak, {
      mark: 'info',
      title: speak('请在微信客户端打开链接', 'Please open this link in the WeChat client'),
    }),
  );
}

/** Remembers in a cookie whose browser this is. */
export function identityRoutes(): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/connect/as',
      respond: ({ query }) => {
        const to = query.get('to') ?? '/';
        const answer = redirect(/^\/(?![/\\])/.test(to) ? to : '/phone');
        const cookie = `${cookieName}=${encodeURIComponent(query.get('person') ?? '')}; Path=/; HttpOnly; SameSite=Lax`;
        return { ...answer, headers: { ...answer.headers, 'set-cookie': cookie } };
      },
    },
  ];
}
