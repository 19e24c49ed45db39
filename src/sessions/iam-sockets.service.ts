import { Injectable } from '@nestjs/common';
import { errorCatalogue, IamError } from '../errors/iam.error.js';
import { handshakeOf, isSocket, noteHandshake, notePresented, takeSocket } from '../http/callers.js';
import { logFailure } from '../http/error-responses.js';
import { disconnect, exceptionBody, sendException } from '../http/exceptions.js';
import { readRequest } from '../http/iam-request.js';
import { type AuthenticatedUser, setAuthenticatedUser } from '../http/authenticated-user.js';
import { toIamError } from '../http/to-iam-error.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { Authentication } from './authentication.service.js';

/** Status codes of RFC 6455 §7.4.1: policy violation, and unexpected condition. */
const REFUSED = 1008;
const FAILED = 1011;

/**
 * For gateways: who is at the other end of a socket. `IamGuard` asks at each message; with `admit`, nobody else even connects. No
 * method takes part in what is sent to a socket, which stays open when its session ends: ask `Authentication` before.
 */
@Injectable()
export class IamSockets {
  private readonly logger = new IamLogger('IamSockets');

  constructor(private readonly authentication: Authentication) {}

  /**
   * For `handleConnection(client, request)`, also of `ws`, whose clients do not have their handshake. Null: the client was told why
   * and disconnected. Never rejects, because Nest does not wait for it.
   */
  admit(client: object, request?: object): Promise<AuthenticatedUser | null> {
    return this.admitIf(client, request, (user) => {
      if (user === null) throw new IamError('authentication_required', 'neither token nor cookie');
    });
  }

  /** As `admit`, but a client without any token stays, for handlers with `@OptionalAuth()` or `@Public()`. */
  admitOptional(client: object, request?: object): Promise<AuthenticatedUser | null> {
    return this.admitIf(client, request, () => undefined);
  }

  /**
   * Takes a token that came in a message: a browser can send none with the handshake of `ws`, and the next one must come before the
   * last expires.
   * @throws IamError `invalid_token`, also for a token of another user than before
   */
  async present(client: object, accessToken: unknown): Promise<AuthenticatedUser> {
    if (typeof accessToken !== 'string')
      throw new IamError('authentication_required', 'no token in the message');
    const user = await this.authentication.authenticate(accessToken, { from: client });
    if (!takeSocket(client, user.id)) throw new IamError('invalid_token', 'the socket is of another user');
    notePresented(client, accessToken);
    setAuthenticatedUser(client, user);
    return user;
  }

  private async admitIf(
    client: object,
    request: object | undefined,
    check: (user: AuthenticatedUser | null) => void,
  ): Promise<AuthenticatedUser | null> {
    try {
      noteHandshake(client, request);
      const user = await this.authentication.find(client);
      check(user);
      if (user !== null) takeSocket(client, user.id);
      return user;
    } catch (thrown) {
      this.refuse(client, toIamError(thrown));
      return null;
    }
  }

  private refuse(client: object, error: IamError): void {
    const hasFailed = errorCatalogue[error.code].status >= 500;
    if (hasFailed) logFailure(this.logger, error);
    sendException(client, exceptionBody(error, languageOf(client)));
    disconnect(client, hasFailed ? FAILED : REFUSED, error.code);
  }
}

function languageOf(client: object) {
  return isSocket(client) ? readRequest(handshakeOf(client)).language : 'en';
}
