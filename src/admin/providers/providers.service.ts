import { Injectable } from '@nestjs/common';
import { empty, json, type IamResponse } from '../../http/iam-response.js';
import type { AuthenticatedUser } from '../../http/parameter.decorators.js';
import type { IamRequest } from '../../http/iam-request.js';
import { IamUrls } from '../../http/iam-urls.service.js';
import { parseInput, parseBody } from '../../http/zod.pipe.js';
import {
  identityProviderChanges,
  isSharedSecret,
  newSharedSecret,
  type RotatableSecret,
} from '../../identity-providers/provider-columns.js';
import { IdentityProviders } from '../../identity-providers/identity-providers.service.js';
import { ProviderRows, type TrustCheck } from '../../identity-providers/provider-rows.service.js';
import { StoredProviders, type StoredProvider } from '../../identity-providers/stored-providers.service.js';
import { readIfMatch, toEtag } from '../../http/etag.js';
import { readCursor, toPage } from '../page.js';
import { AdminPermissions } from '../admin-reach.service.js';
import {
  createProviderBody,
  providerQuery,
  rotateBody,
  updateProviderBody,
  toProviderView,
} from './providers.view.js';

/** Identity providers for administrators. Secrets go in and never come out. */
@Injectable()
export class AdminProviders {
  constructor(
    private readonly rows: ProviderRows,
    private readonly stored: StoredProviders,
    private readonly providers: IdentityProviders,
    private readonly urls: IamUrls,
    private readonly own: AdminPermissions,
  ) {}

  async list(request: IamRequest): Promise<IamResponse> {
    const { limit, cursor, enabled, q: prefix } = parseInput(providerQuery, request.query);
    const rows = await this.stored.list({ after: readCursor(cursor), limit: limit + 1, enabled, prefix });
    const toItem = (stored: StoredProvider) => this.view(stored, request);
    return json(toPage(rows, { limit }, { keyOf: ({ row }) => row.slug, toItem }));
  }

  async get(slug: string, request: IamRequest): Promise<IamResponse> {
    return this.answer(await this.rows.get(slug), request);
  }

  /** @throws IamError `already_exists`, `insufficient_permissions` */
  async create(request: IamRequest, admin: AuthenticatedUser | undefined): Promise<IamResponse> {
    const input = parseBody(createProviderBody, request.body);
    const stored = await this.changed(this.rows.create(input, this.trustOf(admin)));
    const headers = {
      ETag: toEtag(stored.version),
      Location: this.urls.endpoint(`admin/providers/${input.slug}`),
    };
    return json(this.view(stored, request), 201, headers);
  }

  /** @throws IamError `precondition_failed`, `insufficient_permissions` for a column that decides whom the module believes */
  async update(
    slug: string,
    request: IamRequest,
    admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    const edit = { slug, version: readIfMatch(request.ifMatch) };
    const changes = parseBody(updateProviderBody, request.body);
    return this.answer(await this.changed(this.rows.change(edit, changes, this.trustOf(admin))), request);
  }

  async remove(
    slug: string,
    request: IamRequest,
    admin: AuthenticatedUser | undefined,
  ): Promise<IamResponse> {
    const edit = { slug, version: readIfMatch(request.ifMatch) };
    await this.changed(this.rows.remove(edit, this.trustOf(admin)));
    return empty(204);
  }

  async rotate(slug: string, request: IamRequest): Promise<IamResponse> {
    const version = readIfMatch(request.ifMatch);
    const { secret, value: given } = parseBody(rotateBody, request.body);
    const value = given === undefined ? newValue(secret) : checkedValue(secret, given);
    const stored = await this.changed(this.rows.rotate({ slug, version }, secret, value));
    const provider = this.view(stored, request);
    return json({ secret, ...(given === undefined && { value }), provider }, 200, { ETag: provider.etag });
  }

  private trustOf(admin: AuthenticatedUser | undefined): TrustCheck {
    return () => this.own.requireAll(admin, ['iam:providers:secrets']);
  }

  /** Also after a failure: whether a commit happened may be unknown. */
  private async changed<T>(change: Promise<T>): Promise<T> {
    return change.finally(() => this.providers.forget());
  }

  private answer(stored: StoredProvider, request: IamRequest): IamResponse {
    const view = this.view(stored, request);
    return json(view, 200, { ETag: view.etag });
  }

  private view(stored: StoredProvider, { language }: IamRequest) {
    return toProviderView(stored, this.stored.open(stored.row), { urls: this.urls, language });
  }
}

function newValue(secret: RotatableSecret): string {
  if (!isSharedSecret(secret)) throw new TypeError(`${secret} is WeChat's to choose`);
  return newSharedSecret(secret);
}

/** By the rules of its column. */
function checkedValue(secret: RotatableSecret, value: string): string {
  return parseBody(identityProviderChanges, { [secret]: value })[secret] ?? '';
}
