import { Inject, Injectable } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';

/** Public addresses of our endpoints: from configuration alone, never from a request's Host header (RFC 9700 §4.1). */
@Injectable()
export class IamUrls {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly application: ApplicationConfig,
  ) {}

  /** An endpoint, e.g. `token` → `https://app.example.com/api/iam/token` on a host with the global prefix `api`. */
  endpoint(name: string): string {
    return `${this.options.publicUrl}${this.path(name)}`;
  }

  /** Where WeChat returns for a provider; its host is the callback domain to register with WeChat. */
  callback(providerSlug: string): string {
    return this.endpoint(`callback/${providerSlug}`);
  }

  /** As `endpoint`, without the origin. */
  path(name: string): string {
    const path = `/${this.options.path}/${name}`;
    const prefix = this.application.getGlobalPrefix().replace(/^\/+|\/+$/g, '');
    const excluded = this.application.getGlobalPrefixOptions().exclude ?? [];
    const isPrefixed = prefix !== '' && !excluded.some(({ pathRegex }) => pathRegex.test(path));
    return isPrefixed ? `/${prefix}${path}` : path;
  }
}
