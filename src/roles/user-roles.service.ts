import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** Which roles a user holds. */
@Injectable()
export class UserRoles {
  /** The user that stays gets the roles of the one that goes; see `UserMergeStep`. */
  async onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> {
    await manager.query(
      `WITH moved AS (DELETE FROM iam.user_roles WHERE user_id = $1 RETURNING role)
       INSERT INTO iam.user_roles (user_id, role) SELECT $2, role FROM moved ON CONFLICT DO NOTHING`,
      [fromUserId, toUserId],
    );
  }
}
