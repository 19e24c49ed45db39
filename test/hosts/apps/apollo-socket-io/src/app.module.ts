import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { withIam } from './database.js';
import { MessagesController } from './messages.controller.js';
import { OrdersController, OrdersGateway, OrdersResolver } from './orders.js';
import { WechatProvider } from './wechat-provider.js';

@Module({
  imports: [
    ...withIam,
    GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      subscriptions: { 'graphql-ws': true },
    }),
  ],
  controllers: [OrdersController, MessagesController],
  providers: [OrdersResolver, OrdersGateway, WechatProvider],
})
export class AppModule {}
