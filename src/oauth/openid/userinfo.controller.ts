import { Get, Inject, Injectable, Post } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { IAM_DATA_SOURCE } from '../../config/iam.resolved-options.js';
import { queryRow, sql, type Sql } from '../../database/sql.js';
import { IamError } from '../../errors/iam.error.js';
import { ClientRegistry, type Client } from '../../http/client-registry.service.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import type { IamRequest } from '../../http/iam-request.js';
import { Incoming } from '../../http/parameter.decorators.js';
import { type AccessTokenClaims, AccessTokens } from '../../sessions/access-tokens.service.js';
import { bearerToken, isBearer } from '../../sessions/authentication.service.js';
import { SubjectIdentifiers } from '../../sessions/subject-identifiers.service.js';
import { PublicController } from '../../http/endpoint-responses.service.js';
import {
  type Admission,
  liveAtClientSql,
  personSql,
  personRow,
  rolesOfSql,
} from '../../sessions/session-statements.js';
import { Clients } from '../clients/clients.service.js';
import { parseOAuthInput } from '../request-parameters.js';
import { isOpenId, personClaims } from './scopes.js';

/** OpenID Connect Core §5.1, §5.3.2. */
const userinfoResponse = z.object({
  sub: z.string(),
  name: z.string().optional(),
  nickname: z.string().optional(),
  picture: z.string().optional(),
  updated_at: z.number().optional(),
  phone_number: z.string().optional(),
  phone_number_verified: z.literal(true).optional(),
  roles: z.array(z.string()).optional(),
});
type UserinfoResponse = z.infer<typeof userinfoResponse>;

const form = 'application/x-www-form-urlencoded';
const userinfoBody = z.object({
  access_token: z
    .string()
    .max(8_192)
    .optional()
    .meta({ description: 'Unless `Authorization: Bearer` has it (RFC 6750 §2.2)' }),
});

const subjectRow = z.object({ user_id: z.string(), roles: z.array(z.string()), person: personRow });

/** No row: the session is over, its user not active, or it began at an earlier application with this id. */
const subjectSql = (sessionId: string, admission: Admission | undefined): Sql => sql`
  SELECT s.user_id, ${rolesOfSql('s')}, ${personSql('u')} AS person ${liveAtClientSql(sessionId, admission)}`;

/** Tells a client what it may know of the person whose access token it has. */
@Injectable()
export class Userinfo {
  constructor(
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly tokens: AccessTokens,
    private readonly registry: ClientRegistry,
    private readonly clients: Clients,
    private readonly subjects: SubjectIdentifiers,
  ) {}

  /** @throws IamError `authentication_required`, `invalid_token`, `person_required`, `insufficient_scope`, `invalid_request` (RFC 6750 §3.1) */
  async tell(request: IamRequest): Promise<UserinfoResponse> {
    const claims = await this.tokens.verifyForAny(presentedToken(request));
    if (!isOpenId(claims.scope))
      throw new IamError('insufficient_scope', 'the token was issued without openid', {
        members: { scope: 'openid' },
      });
    const client = this.registry.find(claims.clientId);
    const subject = client?.isEnabled === true ? await this.find(claims, client) : null;
    if (client === undefined || subject?.user_id !== claims.userId)
      throw new IamError('invalid_token', 'the session is over');
    const sub = await this.subjects.of(claims.userId, client);
    return { sub, ...personClaims(claims.scope, subject) };
  }

  private find({ sessionId }: AccessTokenClaims, client: Client) {
    return queryRow(this.dataSource, subjectRow, subjectSql(sessionId, this.clients.admissionOf(client)));
  }
}

/** In one way only (RFC 6750 §2); never in the query, which logs keep. */
function presentedToken(request: IamRequest): string {
  const isForm = request.method === 'POST' && (request.contentType ?? '').toLowerCase().startsWith(form);
  const { access_token: posted } = isForm ? parseOAuthInput(userinfoBody, request.body) : {};
  if (!isBearer(request)) {
    if (posted === undefined) throw new IamError('authentication_required', 'no bearer token');
    return posted;
  }
  if (posted !== undefined) throw new IamError('invalid_request', 'access_token: sent in two ways');
  return bearerToken(request);
}

const description = {
  bearer: true,
  responses: { 200: userinfoResponse },
  example: {
    sub: '0198c0de-0000-7000-8000-000000000001',
    name: '小兰',
    nickname: '小兰',
    picture: 'https://thirdwx.qlogo.cn/mmopen/…/132',
    updated_at: 1769846400,
  },
  errors: ['authentication_required', 'invalid_token', 'person_required', 'insufficient_scope'],
} as const;

/** `GET` and `POST /userinfo` (OpenID Connect Core §5.3). */
@PublicController('userinfo')
export class UserinfoController {
  constructor(private readonly userinfo: Userinfo) {}

  @Endpoint({
    summary: 'What an application may know of the person whose access token it has (OpenID Connect)',
    ...description,
  })
  @Get()
  get(@Incoming() request: IamRequest): Promise<UserinfoResponse> {
    return this.userinfo.tell(request);
  }

  @Endpoint({
    summary: 'As GET, with the access token in a form if need be',
    body: userinfoBody,
    bodyType: form,
    ...description,
  })
  @Post()
  post(@Incoming() request: IamRequest): Promise<UserinfoResponse> {
    return this.userinfo.tell(request);
  }
}
