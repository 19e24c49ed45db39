import { Module } from '@nestjs/common';
import { IamModule } from 'nestjs-wechat-iam';
import { BooksOfUsers } from './books-of-users.js';
import { BooksController } from './books.controller.js';
import { PrismaService } from './prisma.service.js';
import { WechatProvider } from './wechat-provider.js';

const {
  ADMIN_TOKEN,
  DATABASE_URL: url = '',
  IAM_KEY = '',
  PUBLIC_URL: publicUrl = '',
  WECHAT_URL = '',
} = process.env;

@Module({
  imports: [
    IamModule.forRoot({
      publicUrl,
      keys: [IAM_KEY],
      clients: [{ id: 'web', redirectUris: [`${publicUrl}/signed-in`] }],
      database: { url, migrationsRun: true },
      wechat: { endpoints: { api: WECHAT_URL, open: WECHAT_URL, mp: WECHAT_URL } },
      admin: { token: ADMIN_TOKEN },
      hooks: BooksOfUsers,
    }),
  ],
  controllers: [BooksController],
  providers: [PrismaService, WechatProvider],
})
export class AppModule {}
