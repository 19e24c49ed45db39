import { Inject, Injectable } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { IamError } from '../errors/iam.error.js';
import { ClientRegistry } from '../http/client-registry.service.js';
import { IamUrls } from '../http/iam-urls.service.js';
import type { AuthenticatedUser } from '../http/authenticated-user.js';
import { namesOf } from '../http/request-body.js';
import { SubjectIdentifiers } from './subject-identifiers.service.js';

/** What is known of a token, or of who brings it. */
interface Bearer {
  readonly clientId: string;
  readonly scope?: string | undefined;
  readonly resources?: readonly string[] | undefined;
  /** The client was one of a third party when it got the token. */
  readonly isThirdParty?: boolean | undefined;
}

/** What a token is made of; without a user, it is of a service. */
interface Granted extends Bearer {
  readonly userId?: string;
  readonly roles: readonly string[];
}

/** The claims of an access token in which one of a third party differs. */
interface PartyClaims {
  readonly sub: string;
  readonly aud: string | string[];
  readonly roles: readonly string[];
  /** Also after the application was deleted, whose tokens live a while. */
  readonly third_party?: true;
}

/** What sets applications of third parties apart where tokens are made and believed: people let them have some things, and nothing else. */
@Injectable()
export class ThirdParties {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly registry: ClientRegistry,
    private readonly subjects: SubjectIdentifiers,
    private readonly urls: IamUrls,
  ) {}

  /**
   * For whom, and of whom, an access token is: without a `resource`, one of a third party is for the userinfo endpoint alone.
   * @throws IamError `invalid_client` for an application that was deleted meanwhile: nothing says any more whose it was
   */
  async describe(claims: Granted): Promise<PartyClaims> {
    const { userId, clientId, roles } = claims;
    const client = this.registry.find(clientId);
    if (client === undefined) throw new IamError('invalid_client', `application "${clientId}" is gone`);
    const isOurs = client.isFirstParty;
    const aud = this.audienceOf(
      claims,
      isOurs ? this.options.tokens.audience : this.urls.endpoint('userinfo'),
    );
    if (userId === undefined) return { sub: clientId, aud, roles };
    const sub = await this.subjects.of(userId, client);
    if (isOurs) return { sub, aud, roles };
    return { sub, aud, roles: this.rolesOf(claims, roles), third_party: true };
  }

  /** A token for other APIs opens nothing here (RFC 8707). */
  private audienceOf({ resources = [] }: Bearer, otherwise: string): string | string[] {
    const [first = otherwise, ...others] = resources;
    return others.length === 0 ? first : [first, ...others];
  }

  /** The user of a token's `sub`. @throws IamError `invalid_token` */
  async userOf(sub: string, clientId: string): Promise<string> {
    const userId = await this.subjects.userOf(sub, this.registry.find(clientId));
    if (userId === null) throw new IamError('invalid_token', 'the subject of the token is nobody');
    return userId;
  }

  /** Of the roles of a person, those that a client may use. */
  rolesOf(claims: Bearer, roles: readonly string[]): readonly string[] {
    return this.isThirdParty(claims) && !namesOf(claims.scope).includes('roles') ? [] : roles;
  }

  /** For what people do in their own accounts and in the administration. @throws IamError `first_party_required` */
  requireOwn(user: AuthenticatedUser): void {
    if (user.kind === 'person' && this.isThirdParty(user))
      throw new IamError('first_party_required', `"${user.clientId}" is an application of a third party`);
  }

  private isThirdParty({ clientId, isThirdParty }: Bearer): boolean {
    return isThirdParty === true || this.registry.find(clientId)?.isFirstParty === false;
  }
}
