import { Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { MercuriusDriver, type MercuriusDriverConfig } from '@nestjs/mercurius';
import { withIam } from './database.js';
import { OrdersController, OrdersGateway, OrdersResolver } from './orders.js';
import { WechatProvider } from './wechat-provider.js';

@Module({
  imports: [
    ...withIam,
    GraphQLModule.forRoot<MercuriusDriverConfig>({
      driver: MercuriusDriver,
      autoSchemaFile: true,
      subscription: true,
    }),
  ],
  controllers: [OrdersController],
  providers: [OrdersResolver, OrdersGateway, WechatProvider],
})
export class AppModule {}
