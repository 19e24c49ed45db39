import { page, text } from '../http/answers.js';
import { form, type Answer, type Incoming } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { QrLogin } from '../world/qr-logins.js';
import type { World } from '../world/world.js';
import { callbackPieces, refusalUrl } from './callback-url.js';
import { consentPage } from './consent-page.js';
import { linkErrorPage } from './error-page.js';
import { speakTo } from './language.js';
import { notice } from './layout.js';
import { choosePersonPage, isInsideWechat, outsideWechatPage, personOf } from './phone-identity.js';
import { qrPicture } from './qr-picture.js';
import { waitForPhone } from './qr-poll.js';
import { readQrconnectRequest } from './qrconnect-request.js';
import { qrPage } from './qr-page.js';
import { wxLoginScript } from './wx-login-script.js';

const codeSeconds = 10 * 60;

/** What the QR code on the PC says: the address that the phone opens. */
export function qrContent(origin: string, uuid: string): string {
  return `${origin}/connect/confirm?uuid=${uuid}`;
}

/** QR sign-in on a PC: the page, its picture and long poll, and the phone's side of it (protocol A). */
export function qrconnectRoutes(world: World, origin: () => string): readonly Route[] {
  return [
    { method: 'GET', path: '/connect/qrconnect', respond: (incoming) => showPage(world, origin(), incoming) },
    {
      method: 'GET',
      path: '/connect/qrcode/:uuid',
      respond: async ({ params }) => qrPicture(qrContent(origin(), params['uuid'] ?? '')),
    },
    { method: 'GET', path: '/connect/l/qrconnect', respond: (incoming) => waitForPhone(world, incoming) },
    { method: 'GET', path: '/connect/confirm', respond: (incoming) => scan(world, incoming) },
    { method: 'POST', path: '/connect/confirm', respond: (incoming) => answerScan(world, incoming) },
    {
      method: 'GET',
      path: '/connect/zh_CN/htmledition/js/wxLogin.js',
      respond: () => text(wxLoginScript(origin()), 'application/javascript; charset=utf-8'),
    },
  ];
}

function showPage(world: World, origin: string, incoming: Incoming): Answer {
  const speak = speakTo(incoming);
  const request = readQrconnectRequest(world, incoming.query, speak);
  if ('error' in request) return linkErrorPage(speak, request.error);
  const { app } = request;
  const login = world.qrLogins.show({ ...request, appid: app.appid });
  if (incoming.query.get('f') === 'xml') {
    const xml = `<qrconnect><uuid><![CDATA[${login.uuid}]]></uuid><appname><![CDATA[${app.name.replaceAll(']]>', '')}]]></appname></qrconnect>`;
    return text(xml, 'text/xml; charset=utf-8');
  }
  return page(
    qrPage(speak, {
      appName: app.name,
      uuid: login.uuid,
      content: qrContent(origin, login.uuid),
      callback: callbackPieces(login, world.rules),
      refusal: refusalUrl(login, world.rules),
      query: incoming.query,
    }),
  );
}

function scan(world: World, incoming: Incoming): Answer {
  const speak = speakTo(incoming);
  if (!isInsideWechat(incoming)) return outsideWechatPage(incoming);
  const login = world.qrLogins.find(incoming.query.get('uuid') ?? '');
  const app = login && world.apps.find(login.appid);
  if (!app || !canBeAnswered(login)) return page(staleCode(incoming));
  const person = personOf(world, incoming);
  if (!person) return choosePersonPage(world, incoming);
  world.qrLogins.scan(login, person.id);
  return page(consentPage(speak, { app, person, action: '/connect/confirm', field: login.uuid }));
}

function answerScan(world: World, incoming: Incoming): Answer {
  const speak = speakTo(incoming);
  const fields = form(incoming);
  const login = world.qrLogins.find(fields.get('ticket') ?? '');
  const person = personOf(world, incoming);
  if (login?.status !== 'scanned' || !person || person.id !== login.person) return page(staleCode(incoming));
  if (fields.get('allow') !== 'yes') {
    world.qrLogins.deny(login);
    return page(notice(speak, { mark: 'info', title: speak('已取消登录', 'Login cancelled') }));
  }
  const { appid, scope } = login;
  const code = world.codes.issue(
    { use: 'oauth', appid, person: person.id, scope, snapshot: false },
    codeSeconds,
  );
  world.grants.record(person.id, appid, scope);
  world.qrLogins.confirm(login, code);
  return page(notice(speak, { mark: 'ok', title: speak('登录成功', 'Logged in') }));
}

/** A code can be read until it has signed somebody in or expired; after a refusal it can be read again. */
function canBeAnswered(login: QrLogin): boolean {
  return login.status !== 'expired' && login.status !== 'confirmed';
}

function staleCode(incoming: Incoming): ReturnType<typeof notice> {
  const speak = speakTo(incoming);
  return notice(speak, {
    mark: 'warn',
    title: speak('二维码已失效', 'This QR code is no longer valid'),
    text: speak('请刷新网页后重新扫描', 'Refresh the web page and scan again'),
  });
}
