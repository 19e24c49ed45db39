import { Global, Module } from '@nestjs/common';
import { Reencryption } from './reencryption.service.js';

/** What each sealing key still holds, and re-encryption. */
@Global()
@Module({ providers: [Reencryption], exports: [Reencryption] })
export class KeysModule {}
