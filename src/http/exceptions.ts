import { STATUS_CODES } from 'node:http';
import {
  type ArgumentsHost,
  ForbiddenException,
  HttpException,
  IntrinsicException,
  UnauthorizedException,
} from '@nestjs/common';
import { errorTexts } from '../errors/iam.error-texts.js';
import { errorCatalogue, type IamError } from '../errors/iam.error.js';
import { problemBody } from './error-responses.js';
import type { Language } from './user-agent.js';

/**
 * Nest's own exceptions, because on the host's routes the host's filters write the response. The body has the members of our
 * problem+json and those of Nest's exceptions, so that every filter finds the ones it reads.
 */
export function toHttpException(error: IamError, language: Language): HttpException {
  const problem = problemBody(error, language);
  const { status } = errorCatalogue[error.code];
  const body = { ...problem, statusCode: status, message: problem['title'], error: STATUS_CODES[status] };
  if (status === 401) return new UnauthorizedException(body, { cause: error });
  if (status === 403) return new ForbiddenException(body, { cause: error });
  return new HttpException(body, status, { cause: error });
}

/** What graphql-js makes an error of the response of, with `extensions.code`. Nest does not log an `IntrinsicException`. */
export class GraphqlException extends IntrinsicException {
  readonly extensions: Readonly<Record<string, string | number>>;

  constructor(error: IamError, language: Language) {
    super(errorTexts[error.code][language], { cause: error });
    const { status } = errorCatalogue[error.code];
    this.extensions = { code: error.code, status, ...error.members };
  }
}

/** The event `exception` of a socket, and the error of a message, in the form that Nest's own filters send. */
export function exceptionBody(error: IamError, language: Language, pattern?: unknown) {
  const message = errorTexts[error.code][language];
  const cause = typeof pattern === 'string' ? { cause: { pattern } } : {};
  return { status: 'error', message, code: error.code, ...error.members, ...cause };
}

/** Loaded where a gateway is guarded, so where the package is there. */
export async function toWsException(body: object): Promise<Error> {
  const { WsException } = await import('@nestjs/websockets');
  return new WsException(body);
}

/** As `toWsException`, for handlers of messages. */
export async function toRpcException(body: object): Promise<Error> {
  const { RpcException } = await import('@nestjs/microservices');
  return new RpcException(body);
}

/** The pattern of the message that a handler of a gateway answers. */
export function patternOf(host: ArgumentsHost): unknown {
  return host.getArgs<unknown[]>().at(-1);
}

/** Sends the event `exception` to a client of socket.io or `ws`. */
export function sendException(client: object, body: object): void {
  if (isNative(client)) client.send(JSON.stringify({ event: 'exception', data: body }));
  else if (isSocketIo(client)) client.emit('exception', body);
}

/** Closes the connection of a client; only `ws` tells it the status code (RFC 6455 §7.4.1) and the reason. */
export function disconnect(client: object, status: number, reason: string): void {
  if (isNative(client)) client.close(status, reason);
  else if (isSocketIo(client)) client.disconnect(true);
}

interface NativeSocket {
  send(text: string): void;
  close(status: number, reason: string): void;
}

/** A client of `ws` also has `emit`, which does not leave the process. */
function isNative(client: object): client is NativeSocket {
  return 'readyState' in client && 'send' in client && typeof client.send === 'function';
}

interface SocketIoSocket {
  emit(event: string, body: object): unknown;
  disconnect(closes: boolean): unknown;
}

function isSocketIo(client: object): client is SocketIoSocket {
  return 'disconnect' in client && typeof client.disconnect === 'function';
}
