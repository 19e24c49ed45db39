import type { Route } from '../http/router.js';
import type { Pushes } from '../push/pushes.js';
import type { AppState } from '../world/app-state.js';
import type { PersonId } from '../world/identities.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { baseAuthorized, officialAuthorized } from './base-authorized.js';
import { isJsonObject, jsonBody, objectField, textField, type JsonObject } from './json-body.js';

/** Messages by template: of Official Accounts to followers, and subscription notices (protocol E.5). */
export function templateMessageRoutes(world: World, answers: ApiAnswers, pushes: Pushes): readonly Route[] {
  return [
    apiRoute(answers, 'cgi-bin', '/cgi-bin/message/template/send', (call) => {
      const app = officialAuthorized(world, call);
      const posted = jsonBody(call);
      const person = recipient(world, app, posted);
      if (!world.followers.has(person, app.appid)) throw new ApiError(43004);
      show(world, { app, person, posted });
      const msgid = nextId(world);
      void tellFinished(world, pushes, { app, person, msgid });
      return { errcode: 0, errmsg: 'ok', msgid };
    }),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/message/subscribe/bizsend', (call) =>
      notify(world, officialAuthorized(world, call), call),
    ),
    apiRoute(answers, 'cgi-bin', '/cgi-bin/message/subscribe/send', (call) => {
      const app = baseAuthorized(world, call);
      if (app.kind !== 'mini') throw new ApiError(48001);
      return notify(world, app, call);
    }),
  ];
}

function notify(world: World, app: AppState, call: ApiCall): object {
  const posted = jsonBody(call);
  show(world, { app, person: recipient(world, app, posted), posted });
  return { errcode: 0, errmsg: 'ok' };
}

function recipient(world: World, app: AppState, posted: JsonObject): PersonId {
  const person = world.identities.findPerson(app.appid, textField(posted, 'touser'));
  if (person === undefined) throw new ApiError(40003);
  if (textField(posted, 'template_id') === '') throw new ApiError(40037);
  if (!isJsonObject(posted['data'])) throw new ApiError(47003);
  return person;
}

/** The chat shows the values; a tap leads to the address. */
function show(
  world: World,
  { app, person, posted }: { readonly app: AppState; readonly person: PersonId; readonly posted: JsonObject },
): void {
  const values = Object.values(objectField(posted, 'data')).filter(isJsonObject);
  const text = values.map(({ value }) => String(value)).join('\n');
  const url = textField(posted, 'url');
  const links = url === '' ? [] : [url];
  world.chats.add(person, app.appid, { from: 'account', type: 'template', text, links });
}

function nextId({ randomness }: World): number {
  return 1_000_000_000 + (randomness.bytes(4).readUInt32BE() >>> 2);
}

/** WeChat tells the account's server later what became of the message. */
async function tellFinished(
  world: World,
  pushes: Pushes,
  { app, person, msgid }: { readonly app: AppState; readonly person: PersonId; readonly msgid: number },
): Promise<void> {
  const fields = {
    ToUserName: app.originalId,
    FromUserName: world.openid(person, app),
    CreateTime: world.clock.seconds(),
    MsgType: 'event',
    Event: 'TEMPLATESENDJOBFINISH',
    MsgID: msgid,
    Status: 'success',
  };
  await pushes.deliver({ app, fields, takesReply: false });
}
