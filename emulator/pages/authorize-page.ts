import { page, redirect } from '../http/answers.js';
import { form, header, type Answer, type Incoming } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { PersonState } from '../world/people.js';
import type { World } from '../world/world.js';
import { readAuthorizeRequest, type AuthorizeRequest } from './authorize-request.js';
import { callbackUrl, refusalUrl } from './callback-url.js';
import { consentPage } from './consent-page.js';
import { errorPage } from './error-page.js';
import { speakTo } from './language.js';
import { notice } from './layout.js';
import {
  chatHeader,
  choosePersonPage,
  fullServiceHeader,
  isInsideWechat,
  outsideWechatPage,
  personOf,
} from './phone-identity.js';

const codeSeconds = 5 * 60;

/** Official Account OAuth inside WeChat (protocol B). */
export function authorizeRoutes(world: World): readonly Route[] {
  return [
    { method: 'GET', path: '/connect/oauth2/authorize', respond: (incoming) => authorize(world, incoming) },
    {
      method: 'POST',
      path: '/connect/oauth2/consent',
      respond: (incoming) => answerConsent(world, incoming),
    },
  ];
}

function authorize(world: World, incoming: Incoming): Answer {
  const speak = speakTo(incoming);
  if (!isInsideWechat(incoming)) return outsideWechatPage(incoming);
  const request = readAuthorizeRequest(world, incoming.rawQuery, header(incoming, 'user-agent'));
  if ('error' in request) return errorPage(speak, request.error);
  const person = personOf(world, incoming);
  if (!person) return choosePersonPage(world, incoming);
  const { app, scope } = request;
  if (app.sandbox && !world.followers.has(person.id, app.appid)) return errorPage(speak, 10006);
  if (scope === 'snsapi_base') return allow(world, request, person);
  if (opensAsSnapshot(world, request, incoming)) return allow(world, { ...request, snapshot: true }, person);
  if (isSilent(world, request, person, incoming)) return allow(world, request, person);
  const { redirectUri, state } = request;
  const consent = world.consents.ask({ person: person.id, appid: app.appid, redirectUri, state, scope });
  return page(consentPage(speak, { app, person, action: '/connect/oauth2/consent', field: consent.ticket }));
}

function answerConsent(world: World, incoming: Incoming): Answer {
  const speak = speakTo(incoming);
  const fields = form(incoming);
  const consent = world.consents.take(fields.get('ticket') ?? '');
  const app = consent && world.apps.find(consent.appid);
  if (!consent || app?.kind !== 'official') {
    return page(notice(speak, { mark: 'warn', title: speak('页面已过期', 'This page has expired') }));
  }
  if (fields.get('allow') === 'yes')
    return allow(world, { ...consent, app }, world.people.get(consent.person));
  const refusal = refusalUrl(consent, world.rules);
  if (refusal !== null) return redirect(refusal);
  return page(notice(speak, { mark: 'info', title: speak('已拒绝授权', 'You refused'), text: app.name }));
}

function allow(
  world: World,
  request: Pick<AuthorizeRequest, 'app' | 'redirectUri' | 'state'> & {
    readonly scope: string;
    readonly snapshot?: boolean;
  },
  person: PersonState,
): Answer {
  const { app, scope, snapshot = false } = request;
  const code = world.codes.issue(
    { use: 'oauth', appid: app.appid, person: person.id, scope, snapshot },
    codeSeconds,
  );
  if (!snapshot) world.grants.record(person.id, app.appid, scope);
  return redirect(callbackUrl(request, code, world.rules));
}

/** A snapshot page shows no sheet; its reader leaves it by 使用完整服务 (protocol B.5). */
function opensAsSnapshot(world: World, request: AuthorizeRequest, incoming: Incoming): boolean {
  const wanted = world.rules.snapshot || request.forceSnapshot;
  return wanted && header(incoming, fullServiceHeader) === '';
}

/** A follower who comes from the account's own chat is not asked, not even with forcePopup (protocol B.2). */
function isSilent(world: World, { app }: AuthorizeRequest, person: PersonState, incoming: Incoming): boolean {
  const fromChat = header(incoming, chatHeader) === app.appid;
  return world.rules.silentForFollowers && fromChat && world.followers.has(person.id, app.appid);
}
