import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { DatabaseModule } from '../database/database.module.js';
import { LastingBans } from './lasting-bans.service.js';
import { OpenidMoves } from './openid-moves.service.js';
import { Profiles } from './profiles.service.js';
import { UserMerges } from './user-merges.service.js';
import { Users } from './users.service.js';

/** People, their identities and unions. */
@Global()
@Module({
  imports: [DiscoveryModule, DatabaseModule],
  providers: [OpenidMoves, Users, Profiles, UserMerges, LastingBans],
  exports: [OpenidMoves, Users, Profiles, UserMerges, LastingBans],
})
export class UsersModule {}
