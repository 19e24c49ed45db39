import type { Provider } from '@nestjs/common';
import { adminProviders } from './composition/admin-providers.js';
import { edgeProviders } from './composition/edge-providers.js';
import { sharedProviders } from './composition/shared-providers.js';
import { stateProviders } from './composition/state-providers.js';
import { FollowEventHandler } from './follow-login/follow-event.handler.js';
import { HostProviders } from './config/iam.hooks.js';
import { BUILT_IN_EVENT_HANDLER } from './webhook/event-intake.service.js';

const ownEvents: Provider = { provide: BUILT_IN_EVENT_HANDLER, useExisting: FollowEventHandler };

/** Every provider that needs nothing but the options and the host's DataSource. */
export const iamProviders: Provider[] = [
  HostProviders,
  ownEvents,
  ...edgeProviders,
  ...adminProviders,
  ...sharedProviders,
  ...stateProviders,
];
