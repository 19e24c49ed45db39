import type { Route } from '../http/router.js';
import { linksIn } from '../push/passive-reply.js';
import type { ChatMessage } from '../world/chats.js';
import type { World } from '../world/world.js';
import type { ApiAnswers } from './api-answers.js';
import { ApiError } from './api-error.js';
import { apiRoute, type ApiCall } from './api-route.js';
import { officialAuthorized } from './base-authorized.js';
import { isJsonObject, jsonBody, objectField, textField, type JsonObject } from './json-body.js';

/** `/cgi-bin/message/custom/send`: an account may write while the person has done something lately (protocol E.5). */
export function customMessageRoutes(world: World, answers: ApiAnswers): readonly Route[] {
  return [apiRoute(answers, 'cgi-bin', '/cgi-bin/message/custom/send', (call) => send(world, call))];
}

function send(world: World, call: ApiCall): object {
  const { appid } = officialAuthorized(world, call);
  const posted = jsonBody(call);
  const person = world.identities.findPerson(appid, textField(posted, 'touser'));
  if (person === undefined) throw new ApiError(40003);
  const message = readMessage(posted);
  const allowance = world.chats.spend(person, appid);
  if (allowance === 'closed') throw new ApiError(45015);
  if (allowance === 'used-up') throw new ApiError(45047);
  world.chats.add(person, appid, { from: 'account', ...message });
  return { errcode: 0, errmsg: 'ok' };
}

function readMessage(posted: JsonObject): Partial<ChatMessage> {
  const type = textField(posted, 'msgtype');
  if (type === 'text') {
    const text = textField(objectField(posted, 'text'), 'content');
    if (text === '') throw new ApiError(44004);
    return { type, text, links: linksIn(text) };
  }
  if (type === 'news') return newsMessage(objectField(posted, 'news'));
  if (!['image', 'voice', 'video', 'music'].includes(type)) throw new ApiError(40008);
  const mediaId = textField(objectField(posted, type), 'media_id');
  if (mediaId === '' && type !== 'music') throw new ApiError(40007);
  return { type, text: mediaId };
}

function newsMessage({ articles: list }: JsonObject): Partial<ChatMessage> {
  const items: readonly unknown[] = Array.isArray(list) ? list : [];
  const articles = items.filter(isJsonObject).map((item) => ({
    title: textField(item, 'title'),
    description: textField(item, 'description'),
    picUrl: textField(item, 'picurl'),
    url: textField(item, 'url'),
  }));
  if (articles.length === 0) throw new ApiError(47001);
  return { type: 'news', text: articles[0]?.title ?? '', articles, links: articles.map(({ url }) => url) };
}
