import { Inject, Injectable } from '@nestjs/common';
import { decodeJwt } from 'jose/jwt/decode';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import { Forgeries } from '../database/forgeries.service.js';
import { queryRow, sql, type Sql } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import { ClientRegistry, type Client } from '../http/client-registry.service.js';
import type { IamRequest } from '../http/iam-request.js';
import { Resources } from '../http/resources.service.js';
import { AccessTokens, isOfPerson, type TokenClaims } from '../sessions/access-tokens.service.js';
import {
  type Admission,
  liveAtClientSql,
  type RefreshToken,
  rolesOfSql,
} from '../sessions/session-statements.js';
import { Sessions } from '../sessions/sessions.service.js';
import { SubjectIdentifiers } from '../sessions/subject-identifiers.service.js';
import { ThirdParties } from '../sessions/third-parties.service.js';
import { ClientAuthentication, clientParameters } from './clients/client-authentication.service.js';
import { Clients, requireAllowed } from './clients/clients.service.js';

/** The body of `POST /introspect` (RFC 7662 §2.1). */
export const introspectionBody = z.object({
  ...clientParameters,
  token: z.string().min(1).max(8_192).meta({ description: 'An access or refresh token' }),
  token_type_hint: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'Not needed: tokens tell what they are' }),
});

const seconds = z.number().int();
const activeToken = z.object({
  active: z.literal(true),
  iss: z.string(),
  sub: z.string(),
  client_id: z.string(),
  token_type: z.literal('Bearer').optional().describe('Of an access token'),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  scope: z.string().optional(),
  roles: z.array(z.string()).optional().describe('Of an access token: as they are now'),
  iat: seconds,
  exp: seconds,
  jti: z.string().optional(),
  auth_time: seconds.optional(),
});
const inactive = { active: false } as const;

/** RFC 7662 §2.2: of a token that does not work, or is none of the caller's business, nothing else is said. */
export const introspectionResponse = z.union([z.object({ active: z.literal(false) }), activeToken]);
type IntrospectionResponse = z.infer<typeof introspectionResponse>;

/** The claims of an access token that are told. */
const told = activeToken.omit({ active: true, token_type: true });

const liveRow = z.object({
  user_id: z.string(),
  client_id: z.string(),
  generation: z.number(),
  scope: z.string().nullable(),
  created_at: z.date(),
  idle_expires_at: z.date(),
  roles: z.array(z.string()),
});

/** No row: the session is over, its user not active, or it began at an earlier application with this id. */
const liveSql = (sessionId: string, admission: Admission | undefined): Sql => sql`
  SELECT s.user_id, s.client_id, s.generation, s.scope, s.created_at, s.idle_expires_at, ${rolesOfSql('s')}
  ${liveAtClientSql(sessionId, admission)}`;

/** `POST /introspect`: whether a token works now, for the application that it was issued to or is for. At most one statement. */
@Injectable()
export class Introspection {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly authentication: ClientAuthentication,
    private readonly clients: Clients,
    private readonly registry: ClientRegistry,
    private readonly resources: Resources,
    private readonly sessions: Sessions,
    private readonly accessTokens: AccessTokens,
    private readonly parties: ThirdParties,
    private readonly subjects: SubjectIdentifiers,
    private readonly forgeries: Forgeries,
  ) {}

  /** @throws IamError `invalid_client`, also for a public client: anybody could ask in its name */
  async inspect(
    { token }: z.infer<typeof introspectionBody>,
    request: IamRequest,
  ): Promise<IntrospectionResponse> {
    const client = await this.authentication.authenticate(request);
    if (client.type === 'public')
      throw new IamError('invalid_client', `application "${client.id}" proves itself by nothing`);
    requireAllowed(client, {});
    const refreshToken = this.sessions.readRefreshToken(token);
    if (refreshToken !== null) return this.ofRefreshToken(refreshToken, client);
    const countForgery = (): void => this.forgeries.count(request.origin, client.id);
    const claims = await this.accessTokens.find(token, countForgery);
    return claims === null ? inactive : this.ofAccessToken(token, claims, client);
  }

  private async ofAccessToken(
    token: string,
    claims: TokenClaims,
    client: Client,
  ): Promise<IntrospectionResponse> {
    const payload = told.parse(decodeJwt(token));
    const isForCaller = [payload.aud ?? []]
      .flat()
      .some((aud) => this.resources.find(aud)?.client === client.id);
    if (claims.clientId !== client.id && !isForCaller) return inactive;
    const live = isOfPerson(claims)
      ? await this.findSession(claims.sessionId, claims.clientId)
      : this.registry.findService(claims.clientId, claims.credential);
    if (live == null) return inactive;
    const roles = [...this.parties.rolesOf(claims, live.roles)];
    return { active: true, token_type: 'Bearer', ...payload, roles };
  }

  private async ofRefreshToken(
    { sessionId, generation }: RefreshToken,
    client: Client,
  ): Promise<IntrospectionResponse> {
    const { id } = client;
    const session = await this.findSession(sessionId, id);
    if (session?.client_id !== id || session.generation !== generation) return inactive;
    const { user_id: userId, scope, created_at, idle_expires_at } = session;
    return {
      active: true,
      iss: this.options.publicUrl,
      sub: await this.subjects.of(userId, client),
      client_id: id,
      ...(scope !== null && { scope }),
      iat: secondsOf(created_at),
      exp: secondsOf(idle_expires_at),
    };
  }

  private async findSession(sessionId: string, clientId: string) {
    const client = this.registry.find(clientId);
    if (client?.isEnabled !== true) return null;
    return queryRow(this.dataSource, liveRow, liveSql(sessionId, this.clients.admissionOf(client)));
  }
}

function secondsOf(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}
