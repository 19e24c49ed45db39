import type { Route } from '../http/router.js';
import type { OfficialAccountState } from '../world/app-state.js';
import type { PersonId } from '../world/identities.js';
import type { OperatorRecords, Tag } from '../world/operator-records.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { baseAuthorized, officialAuthorized } from './base-authorized.js';
import { jsonBody, objectField, textField, type JsonObject } from './json-body.js';

const ok = { errcode: 0, errmsg: 'ok' };

/** A call to an account's API, with what the operator keeps there. */
interface OperatorCall {
  readonly world: World;
  readonly app: OfficialAccountState;
  readonly records: OperatorRecords;
  readonly call: ApiCall;
}

/** Menus, tags, remarks and JS-SDK tickets: what operators' software calls besides signing people in. */
export function operatorRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  const route = (path: string, run: (call: OperatorCall) => object): Route =>
    apiRoute(answers, 'cgi-bin', `/cgi-bin/${path}`, (call) => {
      const app = officialAuthorized(world, call);
      return run({ world, app, records: world.operatorRecords(app.appid), call });
    });
  return [
    apiRoute(answers, 'cgi-bin', '/cgi-bin/ticket/getticket', (call) => jsTicket(world, call)),
    route('menu/create', createMenu),
    route('menu/get', ({ records }) => ({ menu: menuOf(records) })),
    route('menu/delete', ({ records }) => {
      records.menu = undefined;
      return ok;
    }),
    route('get_current_selfmenu_info', ({ records }) => ({
      is_menu_open: records.menu === undefined ? 0 : 1,
      ...(records.menu === undefined ? {} : { selfmenu_info: records.menu }),
    })),
    route('tags/create', ({ records, call }) => {
      const name = tagName(call);
      if ([...records.tags.values()].some((tag) => tag.name === name)) throw new ApiError(45157);
      return { tag: { id: records.addTag(name).id, name } };
    }),
    route('tags/get', ({ records }) => ({
      tags: [...records.tags.values()].map(({ id, name, members }) => ({ id, name, count: members.size })),
    })),
    route('tags/update', ({ records, call }) => {
      tagIn(records, objectField(jsonBody(call), 'tag')['id']).name = tagName(call);
      return ok;
    }),
    route('tags/delete', ({ records, call }) => {
      records.tags.delete(tagIn(records, objectField(jsonBody(call), 'tag')['id']).id);
      return ok;
    }),
    route('tags/getidlist', (asked) => ({ tagid_list: asked.records.tagsOf(personIn(asked, 'openid')) })),
    route('tags/members/batchtagging', (asked) => {
      const { members } = tagIn(asked.records, jsonBody(asked.call)['tagid']);
      for (const person of peopleIn(asked)) members.add(person);
      return ok;
    }),
    route('tags/members/batchuntagging', (asked) => {
      const { members } = tagIn(asked.records, jsonBody(asked.call)['tagid']);
      for (const person of peopleIn(asked)) members.delete(person);
      return ok;
    }),
    route('user/tag/get', ({ world, app, records, call }) => {
      const { members } = tagIn(records, jsonBody(call)['tagid']);
      const openid = [...members].map((person) => world.openid(person, app));
      return { count: openid.length, data: { openid }, next_openid: openid.at(-1) ?? '' };
    }),
    route('user/info/updateremark', (asked) => {
      const remark = textField(jsonBody(asked.call), 'remark');
      if (remark.length >= 30) throw new ApiError(40097);
      asked.records.remarks.set(personIn(asked, 'openid'), remark);
      return ok;
    }),
  ];
}

/** Official Accounts and mini programs have JS-SDK tickets; `type` says for what. */
function jsTicket(world: World, call: ApiCall): object {
  const { appid } = baseAuthorized(world, call);
  const type = call.param('type');
  if (!['jsapi', 'wx_card', 'sdk', '2'].includes(type)) throw new ApiError(40097);
  const { ticket, expiresIn } = world.operatorRecords(appid).ticket(type);
  return { ...ok, ticket, expires_in: expiresIn };
}

function createMenu({ records, call }: OperatorCall): object {
  const posted = jsonBody(call);
  const { button } = posted;
  if (!Array.isArray(button) || button.length < 1 || button.length > 3) throw new ApiError(40016);
  records.menu = posted;
  return ok;
}

function menuOf({ menu }: OperatorRecords): unknown {
  if (menu === undefined) throw new ApiError(46003);
  return menu;
}

function tagName(call: ApiCall): string {
  const name = textField(objectField(jsonBody(call), 'tag'), 'name');
  if (name === '' || name.length > 30) throw new ApiError(45158);
  return name;
}

function tagIn({ tags }: OperatorRecords, id: unknown): Tag {
  const tag = typeof id === 'number' ? tags.get(id) : undefined;
  if (tag === undefined) throw new ApiError(45159);
  return tag;
}

function personIn({ world, app, call }: OperatorCall, field: string): PersonId {
  return personOf({ world, app }, jsonBody(call), field);
}

function personOf(
  { world, app }: Pick<OperatorCall, 'world' | 'app'>,
  posted: JsonObject,
  field: string,
): PersonId {
  const person = world.identities.findPerson(app.appid, textField(posted, field));
  if (person === undefined) throw new ApiError(40003);
  return person;
}

function peopleIn(asked: OperatorCall): readonly PersonId[] {
  const { openid_list: list } = jsonBody(asked.call);
  if (!Array.isArray(list) || list.length === 0) throw new ApiError(40032);
  return list.map((openid: unknown) => personOf(asked, { openid }, 'openid'));
}
