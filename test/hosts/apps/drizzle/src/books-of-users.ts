import { Injectable } from '@nestjs/common';
import type { IamHooks } from 'nestjs-wechat-iam';

type Manager = Parameters<NonNullable<IamHooks['onErase']>>[1];

/** The books of somebody who is erased go in the same transaction, which is the module's. */
@Injectable()
export class BooksOfUsers implements IamHooks {
  async onErase(userId: string, manager: Manager): Promise<void> {
    await manager.query('DELETE FROM public.books WHERE user_id = $1', [userId]);
  }
}
