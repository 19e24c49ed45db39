import { withDependencies } from '../../../cli/with-dependencies.js';
import { Cleanup } from '../../../src/cleanup/cleanup.service.js';
import { Clock } from '../../../src/clock.js';
import { RolePermissions } from '../../../src/roles/role-permissions.service.js';
import { Roles } from '../../../src/roles/roles.service.js';
import { AccessTokens } from '../../../src/sessions/access-tokens.service.js';
import { SigningKeys } from '../../../src/sessions/signing-keys.service.js';

describe('what exists in a command', () => {
  it('is what the command names, and what that is made of', () => {
    expect(withDependencies([Roles])).toEqual([Roles, RolePermissions, Clock]);
  });

  it('is what the command gives instead', () => {
    const clock = { provide: Clock, useValue: new Clock() };

    expect(withDependencies([Roles, clock])).toEqual([Roles, clock, RolePermissions]);
  });

  it('is nothing that would start work of its own', () => {
    expect(() => withDependencies([AccessTokens])).toThrow(`${SigningKeys.name} starts work of its own`);
    expect(Cleanup.prototype).toHaveProperty('onApplicationBootstrap');
  });
});
