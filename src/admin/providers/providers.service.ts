import { Injectable } from '@nestjs/common';
import { IdentityProviders } from '../../identity-providers/identity-providers.service.js';
import {
  isSharedSecret,
  newSharedSecret,
  type IdentityProviderChanges,
  type IdentityProviderInput,
  type RotatableSecret,
} from '../../identity-providers/provider-columns.js';
import {
  ProviderRows,
  type ProviderEdit,
  type TrustCheck,
} from '../../identity-providers/provider-rows.service.js';
import type { StoredProvider } from '../../identity-providers/stored-providers.service.js';
import { AdminPermissions, type Admin } from '../admin-reach.service.js';

/**
 * Changes of provider rows by administrators, which act on this replica at once. A column that decides whose messages are
 * believed takes `iam:providers:secrets`.
 */
@Injectable()
export class AdminProviders {
  constructor(
    private readonly rows: ProviderRows,
    private readonly providers: IdentityProviders,
    private readonly own: AdminPermissions,
  ) {}

  /** @throws IamError as `ProviderRows.create`, `insufficient_permissions` */
  create(input: IdentityProviderInput, admin: Admin): Promise<StoredProvider> {
    return this.changed(this.rows.create(input, this.trustOf(admin)));
  }

  /** @throws IamError as `ProviderRows.change`, `insufficient_permissions` */
  change(edit: ProviderEdit, changes: IdentityProviderChanges, admin: Admin): Promise<StoredProvider> {
    return this.changed(this.rows.change(edit, changes, this.trustOf(admin)));
  }

  /** @throws IamError as `ProviderRows.remove`, `insufficient_permissions` */
  remove(edit: ProviderEdit, admin: Admin): Promise<void> {
    return this.changed(this.rows.remove(edit, this.trustOf(admin)));
  }

  /** Generates the value where none is given. @throws IamError as `ProviderRows.rotate` */
  async rotate(
    edit: ProviderEdit,
    secret: RotatableSecret,
    given: string | undefined,
  ): Promise<{ readonly stored: StoredProvider; readonly value: string }> {
    const value = given ?? newValue(secret);
    return { stored: await this.changed(this.rows.rotate(edit, secret, value)), value };
  }

  private trustOf(admin: Admin): TrustCheck {
    return () => this.own.requireAll(admin, ['iam:providers:secrets']);
  }

  /** Also after a failure: whether a commit happened may be unknown. */
  private async changed<T>(change: Promise<T>): Promise<T> {
    return change.finally(() => this.providers.forget());
  }
}

function newValue(secret: RotatableSecret): string {
  if (!isSharedSecret(secret)) throw new TypeError(`${secret} is WeChat's to choose`);
  return newSharedSecret(secret);
}
