import type { Provider } from '@nestjs/common';
import { adminProviders } from './composition/admin-providers.js';
import { edgeProviders } from './composition/edge-providers.js';
import { sharedProviders } from './composition/shared-providers.js';
import { stateProviders } from './composition/state-providers.js';
import { HostProviders } from './config/iam.hooks.js';

/** Every provider that needs nothing but the options and the host's DataSource. */
export const iamProviders: Provider[] = [
  HostProviders,
  ...edgeProviders,
  ...adminProviders,
  ...sharedProviders,
  ...stateProviders,
];
