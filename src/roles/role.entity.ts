import { boolean, defineTable, key, now, text, uuid } from '../database/define-table.js';

/** `iam.roles`: a name and the permissions it grants, e.g. `orders:refund`. */
export const RoleEntity = defineTable('roles', {
  columns: {
    name: key(text),
    permissions: { ...text, array: true, default: () => "'{}'" },
    description: { ...text, default: '' },
    /** Every new user gets it. */
    is_default: { ...boolean, default: false },
    created_at: now,
  },
});

/** `iam.user_roles`: a role that a user holds. */
export const UserRoleEntity = defineTable('user_roles', {
  columns: { user_id: key(uuid), role: key(text), created_at: now },
  indexes: { user_roles_role_idx: ['role', 'user_id'] },
  references: {
    user_roles_user_id_fkey: { table: 'users', columns: { user_id: 'id' } },
    user_roles_role_fkey: { table: 'roles', columns: { role: 'name' } },
  },
});
