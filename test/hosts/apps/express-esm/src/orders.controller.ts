import { Body, Controller, Get, Post, UseGuards } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { IsString, Length } from 'class-validator';
import { CurrentUser, IamGuard, type AuthenticatedUser } from 'nestjs-wechat-iam';
import { Repository } from 'typeorm';
import { Order } from './order.entity.js';

class NewOrder {
  @IsString()
  @Length(1, 50)
  item!: string;
}

@UseGuards(IamGuard)
@Controller('orders')
export class OrdersController {
  constructor(@InjectRepository(Order) private readonly orders: Repository<Order>) {}

  @Get()
  list(@CurrentUser() user: AuthenticatedUser): Promise<Order[]> {
    return this.orders.findBy({ userId: user.id });
  }

  @Post()
  create(@CurrentUser() { id: userId }: AuthenticatedUser, @Body() { item }: NewOrder): Promise<Order> {
    return this.orders.save(this.orders.create({ userId, item }));
  }
}
