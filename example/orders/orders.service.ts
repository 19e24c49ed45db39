import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { Order } from './order.entity.js';

/** An order as the page shows it. */
export interface OrderView {
  readonly id: string;
  readonly tea: string;
  readonly createdAt: string;
}

const toView = ({ id, tea, createdAt }: Order): OrderView => ({
  id,
  tea,
  createdAt: createdAt.toISOString(),
});

/** The shop's orders. */
@Injectable()
export class Orders {
  constructor(@InjectRepository(Order) private readonly orders: Repository<Order>) {}

  async place(userId: string, tea: string): Promise<OrderView> {
    return toView(await this.orders.save({ userId, tea }));
  }

  /** Newest first, the last 20. */
  async listOf(userId: string): Promise<OrderView[]> {
    const orders = await this.orders.find({ where: { userId }, order: { createdAt: 'DESC' }, take: 20 });
    return orders.map(toView);
  }
}
