import { Injectable } from '@nestjs/common';
import type { IamHooks } from 'nestjs-wechat-iam';
import type { EntityManager } from 'typeorm';
import { Order } from './order.entity.js';

/** When two users turn out to be one person, their orders go along, in the same transaction. */
@Injectable()
export class OrdersIamHooks implements IamHooks {
  async onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> {
    await manager.update(Order, { userId: fromUserId }, { userId: toUserId });
  }
}
