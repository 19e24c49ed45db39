import { Body, Controller, Get, NotFoundException, Post, Req, UseGuards } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { AuthGuard } from '@nestjs/passport';
import { InjectRepository } from '@nestjs/typeorm';
import type { Request } from 'express';
import { CurrentUser, IamGuard, IamUsers, type AuthenticatedUser } from 'nestjs-wechat-iam';
import { Repository } from 'typeorm';
import { UserEntity } from './user.entity';

@Controller()
export class AccountController {
  constructor(
    @InjectRepository(UserEntity) private readonly users: Repository<UserEntity>,
    private readonly jwt: JwtService,
    private readonly iamUsers: IamUsers,
  ) {}

  @Get('health')
  health(): { healthy: boolean } {
    return { healthy: true };
  }

  @Post('users')
  register(@Body() { name }: { name: string }): Promise<UserEntity> {
    return this.users.save(this.users.create({ name }));
  }

  /** The sign-in that the host had before. */
  @Post('login')
  async login(@Body() { name }: { name: string }): Promise<{ token: string }> {
    const user = await this.users.findOneBy({ name });
    if (user === null) throw new NotFoundException();
    return { token: this.jwt.sign({ sub: String(user.id) }) };
  }

  @Get('by-jwt')
  @UseGuards(AuthGuard('jwt'))
  byJwt(@Req() request: Request): unknown {
    return request.user;
  }

  @Get('strategy')
  @UseGuards(AuthGuard('wechat-open'))
  strategy(@Req() request: Request): unknown {
    return request.user;
  }

  @Get('by-wechat')
  @UseGuards(IamGuard)
  async byWechat(@CurrentUser() user: AuthenticatedUser): Promise<{ userId: string; hostUser: unknown }> {
    const externalId = (await this.iamUsers.find(user.id))?.externalId;
    return { userId: user.id, hostUser: await this.users.findOneBy({ id: Number(externalId) }) };
  }
}
