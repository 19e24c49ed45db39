import type { Provider } from '@nestjs/common';
import { UserRoles } from '../src/roles/user-roles.service.js';
import { UserList } from '../src/users/user-list.service.js';

/** What the commands about users are made of; none of it seals or opens anything. */
export const userServices: readonly Provider[] = [UserList, UserRoles];
