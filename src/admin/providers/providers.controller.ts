import { Delete, Get, Param, Patch, Post } from '@nestjs/common';
import type { z } from 'zod';
import { toPage, type Page } from '../../database/list.js';
import type { IamError } from '../../errors/iam.error.js';
import { Endpoint } from '../../http/endpoint.decorator.js';
import { readRequest, type IamRequest } from '../../http/iam-request.js';
import { json, Tagged, Created, type IamResponse } from '../../http/iam-response.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import { findAuthenticatedUser } from '../../http/authenticated-user.js';
import {
  CurrentUser,
  fromRequest,
  IfMatch,
  Incoming,
  Body,
  Query,
  ZodPipe,
} from '../../http/parameter.decorators.js';
import type { Language } from '../../http/user-agent.js';
import { checkExample, checkView } from '../../identity-providers/check/check-items.js';
import { ProviderCheck } from '../../identity-providers/check/provider-check.service.js';
import {
  identityProviderChanges,
  identityProviderInput,
  type IdentityProviderChanges,
  type IdentityProviderInput,
} from '../../identity-providers/provider-columns.js';
import { ProviderRows, type StoredProvider } from '../../identity-providers/provider-rows.service.js';
import { AdminPermissions, type Admin } from '../admin-reach.service.js';
import { AdminController } from '../admin.guard.js';
import {
  providerExample,
  providerPage,
  providerQuery,
  providerView,
  rotateBody,
  rotationView,
  toProviderView,
  type ProviderView,
} from './providers.view.js';

const path = { slug: 'The provider' };
/** Of what takes `If-Match`. */
const editErrors = ['provider_not_found', 'precondition_required', 'precondition_failed', 'in_use'] as const;

interface Caller {
  readonly admin: Admin;
  readonly language: Language;
}

/** The administrator, and the language of the response. */
const CurrentCaller = fromRequest((request): Caller => ({
  admin: findAuthenticatedUser(request) ?? undefined,
  language: readRequest(request).language,
}));

/** Provider rows: list, changes, rotation of a secret, check. */
@AdminController('providers')
export class AdminProvidersController {
  constructor(
    private readonly rows: ProviderRows,
    private readonly permissions: AdminPermissions,
    private readonly checker: ProviderCheck,
    private readonly urls: IamUrls,
  ) {}

  @Endpoint({
    summary: 'Identity providers by slug; of secrets only whether they are set',
    permission: 'iam:providers:read',
    responses: { 200: providerPage },
    example: { items: [providerExample], next_cursor: null },
  })
  @Get()
  async list(
    @Query(new ZodPipe(providerQuery))
    { limit, cursor: after, enabled, q: prefix }: z.infer<typeof providerQuery>,
    @Incoming() { language }: IamRequest,
  ): Promise<Page<ProviderView>> {
    const rows = await this.rows.list({ after, limit: limit + 1, enabled, prefix });
    const providers = rows.map((stored) => this.view(stored, language));
    return toPage(providers, limit, ({ slug }) => slug);
  }

  @Endpoint({
    summary:
      'Create an identity provider; secrets are given in clear and stored sealed. Apps, keys, message mode and union scope take `iam:providers:secrets` too',
    permission: 'iam:providers:write',
    responses: { 201: providerView },
    example: providerExample,
    errors: ['already_exists', 'provider_keys_differ'],
  })
  @Post()
  async create(
    @Body(new ZodPipe(identityProviderInput)) input: IdentityProviderInput,
    @CurrentCaller() { admin, language }: Caller,
  ): Promise<Created<ProviderView>> {
    const stored = await this.rows.create(input, await this.refusalOf(admin));
    return new Created(this.view(stored, language), `admin/providers/${input.slug}`);
  }

  @Endpoint({
    summary: 'One identity provider, with its ETag',
    permission: 'iam:providers:read',
    path,
    responses: { 200: providerView },
    example: providerExample,
    errors: ['provider_not_found'],
  })
  @Get(':slug')
  async get(@Param('slug') slug: string, @Incoming() { language }: IamRequest): Promise<ProviderView> {
    return this.view(await this.rows.get(slug), language);
  }

  @Endpoint({
    summary:
      'Change an identity provider, If-Match its ETag: what is left out stays, null clears. A change of apps, keys, message mode or union scope takes `iam:providers:secrets` too',
    permission: 'iam:providers:write',
    path,
    responses: { 200: providerView },
    example: providerExample,
    errors: [...editErrors, 'provider_keys_differ'],
  })
  @Patch(':slug')
  async update(
    @Param('slug') slug: string,
    @IfMatch() version: string | null,
    @Body(new ZodPipe(identityProviderChanges)) changes: IdentityProviderChanges,
    @CurrentCaller() { admin, language }: Caller,
  ): Promise<ProviderView> {
    const stored = await this.rows.change({ slug, version }, changes, await this.refusalOf(admin));
    return this.view(stored, language);
  }

  @Endpoint({
    summary:
      'Delete an identity provider, If-Match its ETag, that nobody has ever signed in through; one that holds secrets takes `iam:providers:secrets` too',
    permission: 'iam:providers:write',
    path,
    responses: { 204: null },
    errors: editErrors,
  })
  @Delete(':slug')
  async remove(
    @Param('slug') slug: string,
    @IfMatch() version: string | null,
    @CurrentUser() admin: Admin,
  ): Promise<void> {
    await this.rows.remove({ slug, version }, await this.refusalOf(admin));
  }

  @Endpoint({
    summary:
      'Replace a secret, If-Match the ETag; the Token or EncodingAESKey so far works on as the previous one until that is cleared',
    permission: 'iam:providers:secrets',
    path,
    responses: { 200: rotationView },
    example: { secret: 'mp_token', value: 'kQ2r8Zt4Wm6Yb1Xc9Vd3Nf5Hg7Jk0Lp2', provider: providerExample },
    errors: [...editErrors, 'provider_keys_differ'],
  })
  @Post(':slug/rotate')
  async rotate(
    @Param('slug') slug: string,
    @IfMatch() version: string | null,
    @Body(new ZodPipe(rotateBody)) { secret, value: given }: z.infer<typeof rotateBody>,
    @Incoming() { language }: IamRequest,
  ): Promise<Tagged<z.infer<typeof rotationView>>> {
    const { stored, value } = await this.rows.rotate({ slug, version }, secret, given);
    const provider = this.view(stored, language);
    return new Tagged({ secret, ...(given === undefined && { value }), provider }, provider.etag);
  }

  @Endpoint({
    summary: 'Ask WeChat and look at the set-up: what works, what does not, and where to mend it',
    permission: 'iam:providers:read',
    path,
    responses: { 200: checkView },
    example: checkExample,
    errors: ['provider_not_found', 'rate_limited'],
  })
  @Post(':slug/check')
  async check(@Param('slug') slug: string, @Incoming() { language }: IamRequest): Promise<IamResponse> {
    return json(await this.checker.check(slug, language), 200, { Vary: 'Accept-Language' });
  }

  /** A column that decides whose messages are believed takes a permission of its own. */
  private refusalOf(admin: Admin): Promise<IamError | null> {
    return this.permissions.refusalOf(admin, ['iam:providers:secrets']);
  }

  private view(stored: StoredProvider, language: Language): ProviderView {
    return toProviderView(stored, this.rows.open(stored.row), { urls: this.urls, language });
  }
}
