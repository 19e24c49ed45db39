import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { adminPermissions } from '../config/iam.permissions.js';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';
import type { SqlExecutor } from '../database/sql.js';
import { IamError } from '../errors/iam.error.js';
import type { AuthenticatedPerson } from '../http/authenticated-user.js';
import { identityProviderChanges } from '../identity-providers/provider-columns.js';
import { inBoth } from '../roles/role-permissions.service.js';
import { UserRoles } from '../roles/user-roles.service.js';

/** The ways of answering a QR code, each a method of signing in. */
export const qrWayName = identityProviderChanges.shape.qr_with.unwrap();

/**
 * The methods in which another device confirms than the one that gets the session. That of a mini program is not told from that of a
 * PC which it let in.
 */
const crossDevice: ReadonlySet<string> = new Set([...qrWayName.options, 'device']);

/**
 * The option `admin.crossDeviceSessions`: whether a session may administer that began with a scan by another device. An attacker may
 * have relayed the QR code to its scanner (RFC 10027). Such a session gets no other way in either (docs/decisions/0172).
 */
@Injectable()
export class CrossDeviceSessions {
  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly roles: UserRoles,
  ) {}

  /** @throws IamError `insufficient_permissions` for a session that the admin API refuses */
  requireSameDevice(user: Pick<AuthenticatedPerson, 'method'>): void {
    if (this.isRefused(user))
      throw new IamError('insufficient_permissions', 'the session began by scanning with another device');
  }

  /** As `requireSameDevice`, for an API key: it outlives the session and says nothing of it. */
  requireForKey(user: Pick<AuthenticatedPerson, 'method'>, permissions: readonly string[]): void {
    if (inBoth(permissions, Object.keys(adminPermissions)).length > 0) this.requireSameDevice(user);
  }

  /**
   * As `requireSameDevice`, for an identity to be linked: it signs in to all that the user may. Decides for good in a transaction that
   * has locked the user, which the assignment of a role waits for.
   */
  async requireForLink(
    user: Pick<AuthenticatedPerson, 'id' | 'method'>,
    executor: SqlExecutor = this.dataSource,
  ): Promise<void> {
    if (this.isRefused(user))
      this.requireForKey(user, await this.roles.recentPermissionsOf(executor, [user.id]));
  }

  private isRefused({ method }: Pick<AuthenticatedPerson, 'method'>): boolean {
    return this.options.admin.crossDeviceSessions === 'refuse' && crossDevice.has(method);
  }
}
