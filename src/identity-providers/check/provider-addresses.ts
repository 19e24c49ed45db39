import type { IamUrls } from '../../http/iam-urls.service.js';

/** What is to be registered with WeChat for a provider. */
export interface ProviderAddresses {
  readonly callback_url: string;
  /** Host alone: no scheme, port or path (protocol A.1, B.1). */
  readonly callback_domain: string;
  readonly webhook_url: string;
}

/** The addresses of a provider's row. */
export function addressesOf(urls: IamUrls, slug: string): ProviderAddresses {
  const callback = urls.callback(slug);
  return {
    callback_url: callback,
    callback_domain: new URL(callback).hostname,
    webhook_url: urls.endpoint(`webhook/${slug}`),
  };
}
