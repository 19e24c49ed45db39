import type { DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { iamMigrations, IamModule } from 'nestjs-wechat-iam';

const { ADMIN_TOKEN, DATABASE_URL = '', IAM_KEY = '', PUBLIC_URL = '', WECHAT_URL = '' } = process.env;

export const withIam: DynamicModule[] = [
  TypeOrmModule.forRoot({
    type: 'postgres',
    url: DATABASE_URL,
    autoLoadEntities: true,
    migrations: [...iamMigrations],
    migrationsRun: true,
  }),
  IamModule.forRoot({
    publicUrl: PUBLIC_URL,
    keys: [IAM_KEY],
    clients: [{ id: 'web', redirectUris: [`${PUBLIC_URL}/signed-in`] }],
    wechat: { endpoints: { api: WECHAT_URL, open: WECHAT_URL, mp: WECHAT_URL } },
    admin: { token: ADMIN_TOKEN },
    globalGuard: true,
  }),
];
