import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';
import type { Exchange, Next } from './exchange.js';
import { readOrigin } from './iam-request.js';

/** Nest's adapter of Express or Fastify. */
export type HttpAdapter = HttpAdapterHost['httpAdapter'];

/** Null in an application without HTTP, and in a testing module that has not made its application yet. */
export function findAdapter(adapterHost: HttpAdapterHost): HttpAdapter | null {
  const { httpAdapter } = adapterHost as { httpAdapter?: HttpAdapter | null };
  return httpAdapter ?? null;
}

/** Lets `receive` have every request before anything else of the host does: parsers, CORS, middleware. */
export function attachInFront(adapter: HttpAdapter, receive: (exchange: Exchange) => void): void {
  if (adapter.getType() === 'express') {
    adapter.use((request: IncomingMessage, response: ServerResponse, next: Next) =>
      receive({ request, response, next, origin: readOrigin(request) }),
    );
    // An instance of the host's own may have middleware already.
    moveLastToFront(propertyOf(propertyOf(adapter.getInstance(), 'router'), 'stack'));
  }
  if (adapter.getType() === 'fastify') {
    const fastify = adapter.getInstance<unknown>();
    const onRequest = (request: HasRaw<IncomingMessage>, reply: HasRaw<ServerResponse>, next: Next): void =>
      receive({ request: request.raw, response: reply.raw, next, origin: readOrigin(request) });
    call(fastify, 'addHook', 'onRequest', onRequest);
    // Fastify adds a hook when what was registered before it is loaded; Nest's adapter, with its CORS, is always before us.
    call(fastify, 'after', () => moveLastToFront(propertyOf(hooksOf(fastify), 'onRequest')));
  }
}

interface HasRaw<T> {
  readonly raw: T;
}

/** Fastify keeps the hooks of an instance under this symbol, and reads them when it starts. */
function hooksOf(fastify: unknown): unknown {
  const symbols = isOwner(fastify) ? Object.getOwnPropertySymbols(fastify) : [];
  const hooks = symbols.find(({ description }) => description === 'fastify.hooks');
  return hooks === undefined ? undefined : propertyOf(fastify, hooks);
}

function moveLastToFront(list: unknown): void {
  if (Array.isArray(list)) list.unshift(list.pop());
}

function call(owner: unknown, name: string, ...parameters: unknown[]): void {
  const method = propertyOf(owner, name);
  if (typeof method === 'function') Reflect.apply(method, owner, parameters);
}

function propertyOf(owner: unknown, name: PropertyKey): unknown {
  return isOwner(owner) ? Reflect.get(owner, name) : undefined;
}

function isOwner(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
