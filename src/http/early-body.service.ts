import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { oauthError, problem } from './error-answers.js';
import { readPath, readRequest } from './iam-request.js';
import { IamUrls } from './iam-urls.service.js';
import { correlationId, currentContext, runInContext } from '../request-context.js';
import { logFailure } from './log-failure.js';
import { oauthEndpoints } from './oauth-endpoints.js';
import { readBody } from './read-body.js';
import { findBody, keepBody } from './request-body.js';
import { toIamError } from './to-iam-error.js';

/** The first part of our endpoints that take a body from whoever sends one. */
const withBody: ReadonlySet<string> = new Set([
  'webhook',
  'token',
  'revoke',
  'device_authorization',
  'confirm',
  'follow',
  'me',
  'admin',
]);

const methodsWithBody: ReadonlySet<string | undefined> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** How long the rest of a refused body is taken in and dropped: clients read the answer only when they have sent it all. */
const DROP_MS = 1_000;

type Next = (error?: unknown) => void;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly next: Next;
}

type Adapter = HttpAdapterHost['httpAdapter'];

/**
 * Reads the bodies of our endpoints before any parser of the host: WeChat's signature covers bytes that no parser gives
 * back, and what a parser refuses it refuses in its own words. Providers are made while the application is created, before
 * the host can add a middleware and before Nest adds its parsers; in a testing module the adapter comes later.
 */
@Injectable()
export class EarlyBody {
  private readonly logger = new Logger('IamErrors');

  constructor(
    adapterHost: HttpAdapterHost,
    private readonly urls: IamUrls,
  ) {
    const { httpAdapter } = adapterHost as { httpAdapter?: Adapter };
    if (httpAdapter === undefined) adapterHost.init$.subscribe(() => this.install(adapterHost.httpAdapter));
    else this.install(httpAdapter);
  }

  private install(adapter: Adapter | null): void {
    if (adapter?.getType() === 'express') {
      adapter.use(this.middleware);
      bringToFront(adapter.getInstance());
    }
    if (adapter?.getType() === 'fastify') {
      addHook(adapter.getInstance(), this.middleware);
      // Nest has registered its middleware engine by now, whose own hook comes before ours.
      if (takesMiddleware(adapter)) adapter.use(this.middleware);
    }
  }

  private readonly middleware = (request: IncomingMessage, response: ServerResponse, next: Next): void => {
    if (findBody(request) !== null || currentContext() !== null) next();
    else runInContext(() => this.receive({ request, response, next }));
  };

  private receive(exchange: Exchange): void {
    const { request, next } = exchange;
    const endpoint = methodsWithBody.has(request.method) ? this.urls.findEndpoint(pathOf(request)) : null;
    const isOurs = endpoint !== null && withBody.has(endpoint.replace(/\/.*/s, ''));
    if (isOurs) void this.read(endpoint, exchange);
    else next();
  }

  private async read(endpoint: string, { request, response, next }: Exchange): Promise<void> {
    try {
      keepBody(request, await readBody(request));
    } catch (error) {
      this.refuse(endpoint, error, { request, response, next });
      return;
    }
    response.once('close', () => request.resume());
    next();
  }

  /** Answered here, past the host's parsers and filters: neither may meet what is left of the request. */
  private refuse(endpoint: string, thrown: unknown, { request, response }: Exchange): void {
    const error = toIamError(thrown);
    const id = correlationId();
    logFailure(this.logger, error, id);
    if (request.destroyed) return;
    const { status, headers, body } = oauthEndpoints.has(endpoint)
      ? oauthError(error)
      : problem(error, readRequest(request).language, id);
    response.writeHead(status, { ...headers }).end(body);
    request.resume();
    setTimeout(() => {
      if (!request.complete) request.destroy();
    }, DROP_MS).unref();
  }
}

/** A path as the routers see it: Fastify decodes it before it chooses a route. */
function pathOf(request: IncomingMessage): string {
  const path = readPath(request);
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** An Express instance of the host's own may have parsers already. */
function bringToFront(express: unknown): void {
  const router = propertyOf(express, 'router');
  const stack = propertyOf(router, 'stack');
  if (Array.isArray(stack)) stack.unshift(stack.pop());
}

type RawHook = (request: IncomingMessage, response: ServerResponse, done: Next) => void;

function addHook(fastify: unknown, hook: RawHook): void {
  const onRequest = (
    request: { readonly raw: IncomingMessage },
    reply: { readonly raw: ServerResponse },
    done: Next,
  ): void => hook(request.raw, reply.raw, done);
  const add = propertyOf(fastify, 'addHook');
  if (typeof add === 'function') Reflect.apply(add, fastify, ['onRequest', onRequest]);
}

/** False for an adapter with `skipMiddie`, which leaves the engine to the host. */
function takesMiddleware(adapter: Adapter): boolean {
  return (
    propertyOf(adapter, 'isMiddieRegistered') !== true ||
    propertyOf(adapter.getInstance(), 'use') !== undefined
  );
}

function propertyOf(owner: unknown, name: string): unknown {
  const isOwner = (typeof owner === 'object' && owner !== null) || typeof owner === 'function';
  return isOwner ? Reflect.get(owner, name) : undefined;
}
