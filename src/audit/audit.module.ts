import { Global, Module } from '@nestjs/common';
import { AuditTrail } from './audit-trail.service.js';

/** The audit trail. */
@Global()
@Module({
  providers: [AuditTrail],
  exports: [AuditTrail],
})
export class AuditModule {}
