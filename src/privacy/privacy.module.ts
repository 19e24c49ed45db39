import { Global, Module } from '@nestjs/common';
import { RuntimeModule } from '../runtime/runtime.module.js';
import { DatabaseModule } from '../database/database.module.js';
import { UsersModule } from '../users/users.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { AccountDeletion, Erasure } from './erasure.service.js';
import { AccountExport } from './account-export.service.js';

/** Export, deletion and erasure. */
@Global()
@Module({
  imports: [RuntimeModule, DatabaseModule, UsersModule, SessionsModule],
  providers: [AccountDeletion, AccountExport, Erasure],
  exports: [AccountDeletion, AccountExport, Erasure],
})
export class PrivacyModule {}
