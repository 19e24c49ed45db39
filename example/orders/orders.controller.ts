import { BadRequestException, Body, Controller, Get, Post, UseGuards } from '@nestjs/common';
import { type AuthenticatedUser, CurrentUser, IamGuard } from 'nestjs-wechat-iam';
import { z } from 'zod';
import { Orders, type OrderView } from './orders.service.js';

const newOrder = z.object({ tea: z.enum(['longjing', 'puer', 'jasmine']) });

/** A route of the shop that only signed-in people reach. */
@Controller('orders')
@UseGuards(IamGuard)
export class OrdersController {
  constructor(private readonly orders: Orders) {}

  @Get()
  list(@CurrentUser() user: AuthenticatedUser): Promise<OrderView[]> {
    return this.orders.listOf(user.id);
  }

  @Post()
  place(@CurrentUser() user: AuthenticatedUser, @Body() body: unknown): Promise<OrderView> {
    const order = newOrder.safeParse(body);
    if (!order.success) throw new BadRequestException('expected { "tea": "longjing" | "puer" | "jasmine" }');
    return this.orders.place(user.id, order.data.tea);
  }
}
