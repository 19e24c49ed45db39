import type { Provider } from '@nestjs/common';
import { adminProviders } from './composition/admin-providers.js';
import { edgeProviders } from './composition/edge-providers.js';
import { sharedProviders } from './composition/shared-providers.js';
import { stateProviders } from './composition/state-providers.js';
import { FollowEventHandler } from './follow-login/follow-event.handler.js';
import { HostProviders } from './config/host-providers.js';
import { HookRunner } from './database/hook-runner.js';
import { Logins } from './sign-in/logins.service.js';
import { UserRoles } from './roles/user-roles.service.js';
import { Sessions } from './sessions/sessions.service.js';
import { USER_MERGE_STEPS } from './users/user-merges.service.js';
import { BUILT_IN_EVENT_HANDLER } from './webhook/built-in-event-handler.js';

const ownEvents: Provider = { provide: BUILT_IN_EVENT_HANDLER, useExisting: FollowEventHandler };

const mergeSteps: Provider = {
  provide: USER_MERGE_STEPS,
  useFactory: (...steps: unknown[]) => steps,
  inject: [UserRoles, Logins, Sessions, HookRunner],
};

/** Every provider that needs nothing but the options and the host's DataSource. */
export const iamProviders: Provider[] = [
  HostProviders,
  mergeSteps,
  ownEvents,
  ...edgeProviders,
  ...adminProviders,
  ...sharedProviders,
  ...stateProviders,
];
