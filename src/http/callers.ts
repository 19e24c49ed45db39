import type { IncomingHttpHeaders } from 'node:http';
import type { ArgumentsHost } from '@nestjs/common';
import { isRecord } from '../errors/unknown.js';
import { isHttpRequest, readOrigin } from './iam-request.js';

/** Where a call of HTTP, GraphQL or a socket shows who sends it. */
export interface Caller {
  /** What `readRequest` takes: the HTTP request, or the handshake of a socket with the token that came beside it. */
  readonly request: object;
  /** What the user is noted with: the HTTP request, the context of an operation over a socket, or the socket. */
  readonly holder: object;
  /** Where headers can be set; undefined on sockets. */
  readonly response: unknown;
}

/**
 * The caller of a handler of HTTP, GraphQL or a gateway; null where there is nothing to read a token from, as with messages of
 * other services.
 */
export function callerOf(context: ArgumentsHost): Caller | null {
  const type: string = context.getType();
  if (type === 'http') {
    const [request, response] = context.getArgs<[object, unknown]>();
    return { request, holder: request, response };
  }
  if (type === 'ws') {
    const [client] = context.getArgs<[object]>();
    return { request: handshakeOf(client), holder: client, response: undefined };
  }
  return type === 'graphql' ? graphqlCaller(graphqlContextOf(context)) : null;
}

/** What the user of a handler is noted with; null where `callerOf` has no caller. */
export function holderOf(context: ArgumentsHost): object | null {
  const type: string = context.getType();
  if (type === 'http' || type === 'ws') return context.getArgByIndex<object>(0);
  return type === 'graphql' ? graphqlCaller(graphqlContextOf(context)).holder : null;
}

/** A handshake as `readRequest` takes it. */
interface Handshake {
  readonly method: 'GET';
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** By which wrong API keys are limited. */
  readonly ip: string | null;
}

/** What is known of a socket. */
interface KnownSocket {
  readonly handshake: Handshake;
  /** The user who was admitted; absent before. */
  readonly userId?: string;
}

const sockets = new WeakMap<object, KnownSocket>();

/** Notes the handshake of a socket, once; that of socket.io has it with it. */
export function noteHandshake(client: object, request: unknown): KnownSocket {
  const known = sockets.get(client) ?? {
    handshake: isSocketIo(client) ? ofSocketIo(client) : ofRequest(request),
  };
  sockets.set(client, known);
  return known;
}

/** Has a socket show this token from now on, in place of what its handshake showed. */
export function notePresented(client: object, token: string): void {
  const { handshake, ...known } = knownSocket(client);
  sockets.set(client, { ...known, handshake: toHandshake(handshake, { token }) });
}

/** Makes a socket the user's. False: it is another user's, whose rooms it may have joined. */
export function takeSocket(client: object, userId: string): boolean {
  const { handshake, userId: owner = userId } = knownSocket(client);
  sockets.set(client, { handshake, userId: owner });
  return owner === userId;
}

/** True for a client of a gateway that `handshakeOf` knows. */
export function isSocket(client: object): boolean {
  return sockets.has(client) || isSocketIo(client);
}

/** The handshake of a client of a gateway. @throws TypeError for a client of `ws` that was never noted */
export function handshakeOf(client: object): Handshake {
  return knownSocket(client).handshake;
}

function knownSocket(client: object): KnownSocket {
  return noteHandshake(client, undefined);
}

function ofSocketIo({ handshake }: SocketIoClient): Handshake {
  const { url, headers, address, auth } = handshake;
  return toHandshake({ url, headers, ip: address }, { token: isRecord(auth) ? auth['token'] : undefined });
}

function ofRequest(request: unknown): Handshake {
  if (isHttpRequest(request)) return toHandshake(request, {});
  throw new TypeError(
    'a client of `ws` does not have its handshake: give it to IamSockets.admit(client, request) in handleConnection',
  );
}

interface SocketIoClient {
  readonly handshake: {
    readonly url: string;
    readonly headers: IncomingHttpHeaders;
    readonly address?: string;
    readonly auth?: unknown;
  };
}

function isSocketIo(client: object): client is SocketIoClient {
  return 'handshake' in client && isHttpRequest(client.handshake);
}

/**
 * `upgrade` also where socket.io began by polling: a page of any origin can open a socket (RFC 6455 §10.2), so a cookie needs its
 * `Origin`. A token beside the handshake comes before its headers.
 */
function toHandshake(
  source: Pick<Handshake, 'url' | 'headers'> & { readonly ip?: string | null | undefined },
  { token, authorization }: { readonly token?: unknown; readonly authorization?: unknown },
): Handshake {
  const { url, headers } = source;
  const bearer = token == null ? authorization : `Bearer ${typeof token === 'string' ? token : ''}`;
  return {
    method: 'GET',
    url,
    ip: readOrigin(source).ip,
    headers: { ...headers, upgrade: 'websocket', ...(bearer != null && { authorization: asText(bearer) }) },
  };
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : 'Bearer';
}

/** Resolvers of references and of types have no arguments object before it. */
function graphqlContextOf(context: ArgumentsHost): unknown {
  const args = context.getArgs<unknown[]>();
  return args.length === 3 ? args[1] : args[2];
}

/** Apollo has the request as `req`; over graphql-ws Nest puts the connection there. Mercurius has it in `reply`, or alone. */
function graphqlCaller(context: unknown): Caller {
  if (!isRecord(context)) throw noRequest();
  const { req, res, reply, request } = context;
  if (isRecord(reply) && isHttpRequest(reply['request'])) {
    // A driver that is given one object for all requests leaves the request of the first one in it.
    if (isHttpRequest(req) && rawOf(req) !== rawOf(reply['request']))
      throw new TypeError('the GraphQL context is shared by requests: make the option `context` a function');
    return callOf(context, {
      request: reply['request'],
      response: reply,
      parameters: context['_connectionInit'],
    });
  }
  if (isRecord(req) && isRecord(req['extra']) && isHttpRequest(req['extra']['request']))
    return callOf(context, { request: req['extra']['request'], parameters: req['connectionParams'] });
  if (isHttpRequest(req)) return callOf(context, { request: req, response: res ?? req['res'] });
  if (isHttpRequest(request)) return callOf(context, { request, parameters: context['_connectionInit'] });
  throw noRequest();
}

interface GraphqlCall {
  readonly request: { readonly url: string; readonly headers: IncomingHttpHeaders };
  readonly response?: unknown;
  /** Of the connection (`connection_init` of graphql-ws). */
  readonly parameters?: unknown;
}

function callOf(context: object, { request, response, parameters }: GraphqlCall): Caller {
  if (request.headers.upgrade === undefined) return { request, holder: request, response };
  const { token, authorization } = connectionToken(parameters);
  // Mercurius mixes the parameters into the headers: a page of any origin could claim to be of the same one.
  const headers = { ...request.headers, 'sec-fetch-site': undefined };
  const source = { url: request.url, headers, ip: readOrigin(request).ip };
  const handshake = toHandshake(source, { token, authorization });
  return { request: handshake, holder: context, response: undefined };
}

/** `token`, or `authorization` in any case, also under `headers`. */
function connectionToken(parameters: unknown): { token?: unknown; authorization?: unknown } {
  if (!isRecord(parameters)) return {};
  const given = isRecord(parameters['headers']) ? { ...parameters, ...parameters['headers'] } : parameters;
  const name = Object.keys(given).find((key) => key.toLowerCase() === 'authorization');
  return { token: given['token'], authorization: name === undefined ? undefined : given[name] };
}

function rawOf(request: object): unknown {
  return 'raw' in request ? request.raw : request;
}

function noRequest(): TypeError {
  return new TypeError('the GraphQL context has no request: leave `req`, or `reply` of Mercurius, in it');
}
