import { Injectable } from '@nestjs/common';
import { empty, json, type Answer } from '../http/answer.js';
import type { IamRequest } from '../http/iam-request.js';
import { IamUrls } from '../http/iam-urls.service.js';
import { parseInput } from '../http/parse-input.js';
import { identityProviderChanges } from '../identity-providers/identity-provider.input.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import {
  isSharedSecret,
  newSharedSecret,
  type RotatableSecret,
} from '../identity-providers/provider-rotation.js';
import { ProviderRows } from '../identity-providers/provider-rows.service.js';
import { StoredProviders, type StoredProvider } from '../identity-providers/stored-providers.service.js';
import { readIfMatch, toEtag } from './etag.js';
import { readCursor, toPage } from './page.js';
import { parseBody } from '../http/parse-body.js';
import { createProviderBody, providerQuery, rotateBody, updateProviderBody } from './providers.requests.js';
import { toProviderView } from './providers.view.js';

/** Identity providers for administrators. Secrets go in and never come out. */
@Injectable()
export class AdminProviders {
  constructor(
    private readonly rows: ProviderRows,
    private readonly stored: StoredProviders,
    private readonly providers: IdentityProviders,
    private readonly urls: IamUrls,
  ) {}

  async list(request: IamRequest): Promise<Answer> {
    const { limit, cursor, enabled, q: prefix } = parseInput(providerQuery, request.query);
    const rows = await this.stored.list({ after: readCursor(cursor), limit: limit + 1, enabled, prefix });
    const toItem = (stored: StoredProvider) => this.view(stored, request);
    return json(toPage(rows, { limit }, { keyOf: ({ row }) => row.slug, toItem }));
  }

  async get(slug: string, request: IamRequest): Promise<Answer> {
    return this.answer(await this.rows.get(slug), request);
  }

  async create(request: IamRequest): Promise<Answer> {
    const input = parseBody(createProviderBody, request.body);
    const stored = await this.changed(this.rows.create(input));
    const headers = {
      ETag: toEtag(stored.version),
      Location: this.urls.endpoint(`admin/providers/${input.slug}`),
    };
    return json(this.view(stored, request), 201, headers);
  }

  async update(slug: string, request: IamRequest): Promise<Answer> {
    const version = readIfMatch(request.ifMatch);
    const changes = parseBody(updateProviderBody, request.body);
    return this.answer(await this.changed(this.rows.change({ slug, version }, changes)), request);
  }

  async remove(slug: string, request: IamRequest): Promise<Answer> {
    await this.changed(this.rows.remove({ slug, version: readIfMatch(request.ifMatch) }));
    return empty(204);
  }

  async rotate(slug: string, request: IamRequest): Promise<Answer> {
    const version = readIfMatch(request.ifMatch);
    const { secret, value: given } = parseBody(rotateBody, request.body);
    const value = given === undefined ? newValue(secret) : checkedValue(secret, given);
    const stored = await this.changed(this.rows.rotate({ slug, version }, secret, value));
    const provider = this.view(stored, request);
    return json({ secret, ...(given === undefined && { value }), provider }, 200, { ETag: provider.etag });
  }

  /** Also after a failure: whether a commit happened may be unknown. */
  private async changed<T>(change: Promise<T>): Promise<T> {
    return change.finally(() => this.providers.forget());
  }

  private answer(stored: StoredProvider, request: IamRequest): Answer {
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
