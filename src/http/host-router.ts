import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';
import { ENDPOINT } from './endpoint.decorator.js';
import { type Exchange, type Next, isIamRequest } from './raw-http.js';
import { readOrigin } from './iam-request.js';

/** Nest's adapter of Express or Fastify. */
export type HttpAdapter = HttpAdapterHost['httpAdapter'];

type Handler = (request: object, response: unknown, next?: Next) => unknown;

/** What the module does in the router of the host's platform. */
export interface Front {
  /** Gets every request before the host's parsers, CORS and middleware. */
  receive(exchange: Exchange): void;
  /** What replaces a handler of ours; null for a route of the host. */
  replace(method: string, pattern: string, handler: Handler): Handler | null;
  /** Our endpoints respond before the host's middleware. */
  readonly skipsMiddleware: boolean;
}

/** Null in an application without HTTP, and in a testing module that has not made its application yet. */
export function findAdapter(adapterHost: HttpAdapterHost): HttpAdapter | null {
  const { httpAdapter } = adapterHost as { httpAdapter?: HttpAdapter | null };
  return httpAdapter ?? null;
}

/**
 * Stands in front of the host's router, by internals of both platforms; tests on both show when those change. What it returns
 * is to be called once Nest has registered the routes. Does nothing on a platform that is neither Express nor Fastify.
 */
export function openHostRouter(adapter: HttpAdapter, front: Front): () => void {
  if (adapter.getType() === 'express') return openExpress(adapter, front);
  if (adapter.getType() === 'fastify') openFastify(adapter.getInstance<unknown>(), front);
  return () => undefined;
}

function openExpress(adapter: HttpAdapter, front: Front): () => void {
  adapter.use((request: IncomingMessage, response: ServerResponse, next: Next) =>
    front.receive({ request, response, next, origin: readOrigin(request) }),
  );
  const stack = listAt(propertyOf(adapter.getInstance(), 'router'), 'stack');
  // An instance of the host's own may have middleware already.
  moveLastToFront(stack);
  const [first] = stack;
  return () => {
    const own = stack.filter((layer) => takeRoute(layer, front));
    if (!front.skipsMiddleware) return;
    const others = stack.filter((layer) => !own.includes(layer));
    others.splice(others.indexOf(first) + 1, 0, ...own);
    stack.splice(0, stack.length, ...others);
  };
}

/** True for a layer of Express' router that is one of our endpoints. */
function takeRoute(layer: unknown, front: Front): boolean {
  const route = propertyOf(layer, 'route');
  const pattern = propertyOf(route, 'path');
  const taken = listAt(route, 'stack').map((each) => {
    const [method, handler] = [propertyOf(each, 'method'), propertyOf(each, 'handle')];
    // A route of the host for the same path has its own handler.
    if (!isHandler(handler) || !Reflect.hasMetadata(ENDPOINT, handler)) return false;
    const replacement = front.replace(String(method).toUpperCase(), String(pattern), handler);
    return replacement !== null && Reflect.set(Object(each) as object, 'handle', replacement);
  });
  return taken.includes(true);
}

interface FastifyPair {
  readonly request: object & { readonly raw: IncomingMessage };
  readonly reply: { readonly raw: ServerResponse; hijack(): unknown };
}

function openFastify(fastify: unknown, front: Front): void {
  if (!front.skipsMiddleware)
    call(fastify, 'addHook', 'onRoute', (route: object) => {
      const replacement = ownHandler(route, front);
      if (replacement !== null) Reflect.set(route, 'handler', replacement);
    });
  const onRequest = (request: FastifyPair['request'], reply: FastifyPair['reply'], done: Next): void => {
    const { raw } = request;
    const { url } = raw;
    const next = (error?: unknown): void => {
      if (error !== undefined) done(error);
      else if (raw.url !== url) routeAgain(fastify, reply, raw);
      else if (!front.skipsMiddleware || !isIamRequest(raw) || !answerNow({ request, reply }, front)) done();
    };
    front.receive({ request: raw, response: reply.raw, next, origin: readOrigin(request) });
  };
  call(fastify, 'addHook', 'onRequest', onRequest);
  // Fastify adds a hook when what was registered before it is loaded; Nest's adapter, with its CORS, is always before us.
  call(fastify, 'after', () => moveLastToFront(listAt(hooksOf(fastify), 'onRequest')));
}

/** Fastify has chosen the route by another spelling of the path. */
function routeAgain(fastify: unknown, reply: FastifyPair['reply'], raw: IncomingMessage): void {
  reply.hijack();
  call(fastify, 'routing', raw, reply.raw);
}

/** Runs the handler of our endpoint in place of the host's hooks. False: the route that Fastify has chosen is the host's. */
function answerNow({ request, reply }: FastifyPair, front: Front): boolean {
  const handler = ownHandler(propertyOf(request, 'routeOptions'), front);
  if (handler === null) return false;
  reply.hijack();
  void handler(request, reply);
  return true;
}

function ownHandler(route: unknown, front: Front): Handler | null {
  const handler = propertyOf(route, 'handler');
  if (!isHandler(handler)) return null;
  return front.replace(String(propertyOf(route, 'method')), String(propertyOf(route, 'url')), handler);
}

/** Fastify keeps the hooks of an instance under this symbol, and reads them when it starts. */
function hooksOf(fastify: unknown): unknown {
  const symbols = isOwner(fastify) ? Object.getOwnPropertySymbols(fastify) : [];
  const hooks = symbols.find(({ description }) => description === 'fastify.hooks');
  return hooks === undefined ? undefined : propertyOf(fastify, hooks);
}

function moveLastToFront(list: unknown[]): void {
  if (list.length > 0) list.unshift(list.pop());
}

function call(owner: unknown, name: string, ...parameters: unknown[]): void {
  const method = propertyOf(owner, name);
  if (typeof method === 'function') Reflect.apply(method, owner, parameters);
}

function listAt(owner: unknown, name: PropertyKey): unknown[] {
  const list = propertyOf(owner, name);
  return Array.isArray(list) ? list : [];
}

function propertyOf(owner: unknown, name: PropertyKey): unknown {
  return isOwner(owner) ? Reflect.get(owner, name) : undefined;
}

function isHandler(value: unknown): value is Handler {
  return typeof value === 'function';
}

function isOwner(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
