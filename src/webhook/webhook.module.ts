import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { WechatModule } from '../wechat/wechat.module.js';
import { HttpModule } from '../http/http.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { IdentityProvidersModule } from '../identity-providers/identity-providers.module.js';
import { SignInModule } from '../sign-in/sign-in.module.js';
import { AuthorizationChanges } from './authorization-changes.service.js';
import { ConfirmedApps } from './confirmed-apps.service.js';
import { EventHandlers } from './event-handlers.service.js';
import { EventIntake } from './event-intake.service.js';
import { Scenes } from './scenes.service.js';
import { InboxWorker } from './inbox/inbox-worker.service.js';
import { Inbox } from './inbox/inbox.service.js';
import { StoredEvents } from './inbox/stored-events.service.js';
import { WebhookController } from './webhook.controller.js';

/** WeChat's pushes: verified, kept, handed to handlers. */
@Global()
@Module({
  imports: [
    DiscoveryModule,
    RuntimeModule,
    DatabaseModule,
    WechatModule,
    HttpModule,
    SessionsModule,
    IdentityProvidersModule,
    SignInModule,
  ],
  controllers: [WebhookController],
  providers: [
    AuthorizationChanges,
    EventHandlers,
    EventIntake,
    ConfirmedApps,
    Inbox,
    InboxWorker,
    Scenes,
    StoredEvents,
  ],
  exports: [EventIntake, InboxWorker, Scenes, StoredEvents],
})
export class WebhookModule {}
