import { Module } from '@nestjs/common';
import { IamModule } from 'nestjs-wechat-iam';
import { BooksOfUsers } from './books-of-users.js';
import { BooksController } from './books.controller.js';
import { Library } from './library.js';
import { WechatProvider } from './wechat-provider.js';

const { ADMIN_TOKEN, DATABASE_URL = '', IAM_KEY = '', PUBLIC_URL = '', WECHAT_URL = '' } = process.env;

@Module({
  imports: [
    IamModule.forRootAsync({
      dataSource: false,
      useFactory: () => ({
        publicUrl: PUBLIC_URL,
        keys: [IAM_KEY],
        clients: [{ id: 'web', redirectUris: [`${PUBLIC_URL}/signed-in`] }],
        database: { url: DATABASE_URL },
        wechat: { endpoints: { api: WECHAT_URL, open: WECHAT_URL, mp: WECHAT_URL } },
        admin: { token: ADMIN_TOKEN },
        hooks: BooksOfUsers,
      }),
    }),
  ],
  controllers: [BooksController],
  providers: [Library, WechatProvider],
})
export class AppModule {}
