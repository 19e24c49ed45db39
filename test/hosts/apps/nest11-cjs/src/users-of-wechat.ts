import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { IamHooks, SignUp, SignUpDecision } from 'nestjs-wechat-iam';
import { Repository } from 'typeorm';
import { UserEntity } from './user.entity';

/** Gives everybody who signs up with WeChat a row in the host's own table. */
@Injectable()
export class UsersOfWechat implements IamHooks {
  constructor(@InjectRepository(UserEntity) private readonly users: Repository<UserEntity>) {}

  async beforeSignUp({ nickname, openid }: SignUp): Promise<SignUpDecision> {
    const { id } = await this.users.save(this.users.create({ name: nickname ?? openid }));
    return { externalId: String(id) };
  }
}
