import type { IamUsers } from 'nestjs-wechat-iam';
import type { Member } from './member.entity.js';

/** A member as the pages see them. */
export interface MemberView {
  readonly id: string;
  readonly name: string;
  /** Whether somebody can sign in to this account with WeChat. */
  readonly has_wechat: boolean;
}

/** Builds the view field by field: a password hash is no part of it. */
export async function toView({ id, name }: Member, users: IamUsers): Promise<MemberView> {
  return { id, name, has_wechat: (await users.findByExternalId(id)) !== null };
}
