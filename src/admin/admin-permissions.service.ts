import { Injectable } from '@nestjs/common';
import type { AuthenticatedUser } from '../http/authenticated-user.js';
import { IamError } from '../errors/iam.error.js';
import { currentContext } from '../runtime/request-context.js';
import { RolePermissions } from '../roles/role-permissions.service.js';

/** Nobody gives or takes what they may not do themselves: neither by a role that they write nor by one that they assign or take. */
@Injectable()
export class AdminPermissions {
  constructor(private readonly permissions: RolePermissions) {}

  /**
   * `user` is `@CurrentUser()`: undefined for the admin token and for whom the host's guard admitted, who may do
   * everything. A permission may be a pattern, which only an equal or wider one covers.
   * @throws IamError `insufficient_permissions` that names what is missing in the log
   */
  async requireAll(user: AuthenticatedUser | undefined, permissions: readonly string[]): Promise<void> {
    if (permissions.length === 0 || this.areUnlimited()) return;
    const missing = await this.permissions.missing(user?.roles ?? [], permissions);
    if (missing.length > 0)
      throw new IamError('insufficient_permissions', `may not decide on ${missing.join(', ')}`);
  }

  /** The admin token and the host's guard; `AdminGuard` has noted who acts. */
  areUnlimited(): boolean {
    const actor = currentContext()?.actor;
    return actor === 'admin_token' || actor === 'host';
  }
}
