import {
  type BeforeApplicationShutdown,
  Global,
  Module,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { AuditDelivery } from './audit/audit-delivery.service.js';
import { ClockSync } from './database/clock-sync.service.js';
import { DatabaseModule } from './database/database.module.js';
import { HttpModule } from './http/http.module.js';
import { Cleanup } from './privacy/cleanup.service.js';
import { PrivacyModule } from './privacy/privacy.module.js';
import { RuntimeModule } from './runtime/runtime.module.js';
import { SessionsModule } from './sessions/sessions.module.js';
import { SigningKeys } from './sessions/signing-keys.service.js';
import { InboxWorker } from './webhook/inbox/inbox-worker.service.js';
import { WebhookModule } from './webhook/webhook.module.js';

/** What a process does without a request. The command line composes the feature modules without it, so that no command does. */
@Global()
@Module({
  imports: [RuntimeModule, DatabaseModule, HttpModule, SessionsModule, PrivacyModule, WebhookModule],
  providers: [AuditDelivery, Cleanup],
})
export class IamBackgroundModule implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly clock: ClockSync,
    private readonly keys: SigningKeys,
    private readonly inbox: InboxWorker,
    private readonly audit: AuditDelivery,
  ) {}

  /** Before the first request: replicas whose system clocks differ agree on tokens from the start. */
  onModuleInit(): Promise<void> {
    return this.clock.start();
  }

  /** @throws Error when the option `keys` does not open the signing keys of this database */
  onApplicationBootstrap(): Promise<void> {
    return this.keys.start();
  }

  /** In this order: the last handlers write audit entries. Nest alone orders modules by their distance from the host's. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.inbox.stop();
    await this.audit.stop();
  }
}
