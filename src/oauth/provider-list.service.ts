import { Injectable } from '@nestjs/common';
import { json, type IamResponse } from '../http/iam-response.js';
import type { IamRequest } from '../http/iam-request.js';
import { errorTexts } from '../errors/iam.error-texts.js';
import { IdentityProviders } from '../identity-providers/identity-providers.service.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import { SignInMethods } from './registration.js';

/** `GET /providers`: what the calling browser can sign in with. */
@Injectable()
export class ProviderList {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly methods: SignInMethods,
  ) {}

  async list(request: IamRequest): Promise<IamResponse> {
    const providers = await this.providers.listEnabled();
    const view = {
      browser: request.browser.kind,
      providers: providers.map((provider) => this.toView(provider, request)),
    };
    return json(view, 200, { Vary: 'User-Agent, Accept-Language' });
  }

  private toView(provider: IdentityProvider, { browser, language }: IamRequest) {
    const { methods, recommended, problem } = this.methods.offer(provider, browser);
    return {
      slug: provider.slug,
      name: provider.name,
      methods,
      recommended,
      problem: problem === null ? null : { code: problem, title: errorTexts[problem][language] },
    };
  }
}
