import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import { iamMigrations, IamModule } from 'nestjs-wechat-iam';
import { IamPagesModule } from 'nestjs-wechat-iam/pages';
import { AccountController } from './account.controller';
import { CreateUsers1700000000000 } from './create-users';
import { EverythingFilter } from './everything.filter';
import { JwtStrategy } from './jwt.strategy';
import { UserEntity } from './user.entity';
import { UsersOfWechat } from './users-of-wechat';
import { HostWechatStrategy } from './wechat-open.strategy';
import { WechatProvider } from './wechat-provider';

const {
  ADMIN_TOKEN,
  DATABASE_URL = '',
  IAM_KEY = '',
  JWT_SECRET,
  PUBLIC_URL = '',
  WECHAT_URL = '',
} = process.env;

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: DATABASE_URL,
      autoLoadEntities: true,
      migrations: [CreateUsers1700000000000, ...iamMigrations],
      migrationsRun: true,
    }),
    TypeOrmModule.forFeature([UserEntity]),
    PassportModule,
    JwtModule.register({ secret: JWT_SECRET, signOptions: { expiresIn: '5m' } }),
    IamModule.forRoot({
      publicUrl: PUBLIC_URL,
      keys: [IAM_KEY],
      clients: [{ id: 'web', redirectUris: [`${PUBLIC_URL}/signed-in`] }],
      wechat: { endpoints: { api: WECHAT_URL, open: WECHAT_URL, mp: WECHAT_URL } },
      hooks: UsersOfWechat,
      admin: { token: ADMIN_TOKEN },
    }),
    IamPagesModule.forRoot({ admin: true, account: true }),
  ],
  controllers: [AccountController],
  providers: [
    JwtStrategy,
    HostWechatStrategy,
    UsersOfWechat,
    WechatProvider,
    { provide: APP_FILTER, useClass: EverythingFilter },
  ],
})
export class AppModule {}
