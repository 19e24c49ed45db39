import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { iamMigrations, IamModule } from 'nestjs-wechat-iam';
import { IamPagesModule } from 'nestjs-wechat-iam/pages';
import type { DataSourceOptions } from 'typeorm';
import { migrateInTurn } from './database/migrate-in-turn.js';
import { DemoController } from './demo/demo.controller.js';
import { DEMO_LINKS, type DemoLinks } from './demo/demo-links.js';
import { CreateMembers1764000000002 } from './members/create-members.migration.js';
import { MembersModule } from './members/members.module.js';
import { CreateOrders1764000000001 } from './orders/create-orders.migration.js';
import { OrdersIamHooks } from './orders/orders-iam-hooks.js';
import { OrdersModule } from './orders/orders.module.js';

/** What differs between one run and the next. */
export interface AppSettings {
  readonly publicUrl: string;
  readonly databaseUrl: string;
  readonly key: string;
  readonly adminToken: string;
  readonly wechat: { readonly api?: string; readonly open?: string; readonly mp?: string };
  readonly rateLimits: 'on' | 'off';
  readonly links: DemoLinks;
}

/** A tea shop with WeChat sign-in. */
@Module({})
export class AppModule {
  static forRoot(settings: AppSettings): DynamicModule {
    const { publicUrl, databaseUrl, key, adminToken, wechat, rateLimits, links } = settings;
    return {
      module: AppModule,
      imports: [
        TypeOrmModule.forRootAsync({
          useFactory: () => ({
            type: 'postgres' as const,
            url: databaseUrl,
            autoLoadEntities: true,
            migrations: [...iamMigrations, CreateOrders1764000000001, CreateMembers1764000000002],
            retryAttempts: 0,
          }),
          dataSourceFactory: migrate,
        }),
        IamModule.forRoot({
          publicUrl,
          keys: [key],
          admin: { token: adminToken },
          clients: [{ id: 'web', name: '山茶订购 Camellia Orders', redirectUris: redirectUris(publicUrl) }],
          wechat: { endpoints: wechat, allowLoopback: true },
          hooks: OrdersIamHooks,
          siteName: '山茶小铺',
          ...(rateLimits === 'off' && { rateLimits }),
        }),
        IamPagesModule.forRoot({
          admin: true,
          account: true,
          siteName: { 'zh-CN': '山茶小铺', en: 'Camellia Tea' },
          logo: '/camellia.svg',
        }),
        OrdersModule,
        MembersModule.forRoot(publicUrl),
      ],
      controllers: [DemoController],
      providers: [{ provide: DEMO_LINKS, useValue: links }],
    };
  }
}

function migrate(options?: DataSourceOptions): ReturnType<typeof migrateInTurn> {
  if (options === undefined) throw new TypeError('TypeOrmModule gave no options');
  return migrateInTurn(options);
}

/** The pages that a sign-in returns to, under the public address and on this machine. */
function redirectUris(publicUrl: string): string[] {
  const bases = [...new Set([publicUrl, 'http://localhost:3000'])];
  return bases.flatMap((base) => [`${base}/signed-in`, `${base}/members`]);
}
