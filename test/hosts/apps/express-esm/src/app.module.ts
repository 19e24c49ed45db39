import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { iamMigrations, IamModule } from 'nestjs-wechat-iam';
import { CreateOrders1700000000000 } from './create-orders.js';
import { HealthController } from './health.controller.js';
import { Order } from './order.entity.js';
import { OrdersController } from './orders.controller.js';
import { WechatProvider } from './wechat-provider.js';

const { ADMIN_TOKEN, DATABASE_URL = '', IAM_KEY = '', PUBLIC_URL = '', WECHAT_URL = '' } = process.env;

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: DATABASE_URL,
      autoLoadEntities: true,
      migrations: [CreateOrders1700000000000, ...iamMigrations],
      migrationsRun: true,
    }),
    TypeOrmModule.forFeature([Order]),
    IamModule.forRoot({
      publicUrl: PUBLIC_URL,
      keys: [IAM_KEY],
      clients: [{ id: 'web', redirectUris: [`${PUBLIC_URL}/signed-in`] }],
      wechat: { endpoints: { api: WECHAT_URL, open: WECHAT_URL, mp: WECHAT_URL } },
      admin: { token: ADMIN_TOKEN },
    }),
  ],
  controllers: [HealthController, OrdersController],
  providers: [WechatProvider],
})
export class AppModule {}
