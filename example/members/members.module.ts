import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DemoMembers } from '../demo/demo-members.js';
import { Member } from './member.entity.js';
import { MemberSession } from './member-session.entity.js';
import { MemberSessions } from './member-sessions.service.js';
import { MemberWechatController } from './member-wechat.controller.js';
import { MembersController } from './members.controller.js';
import { Members } from './members.service.js';
import { SHOP_URL } from './same-origin.guard.js';

/** The shop's accounts from before WeChat, and the way from WeChat to them. */
@Module({})
export class MembersModule {
  static forRoot(shopUrl: string): DynamicModule {
    return {
      module: MembersModule,
      imports: [TypeOrmModule.forFeature([Member, MemberSession])],
      controllers: [MembersController, MemberWechatController],
      providers: [Members, MemberSessions, DemoMembers, { provide: SHOP_URL, useValue: shopUrl }],
    };
  }
}
