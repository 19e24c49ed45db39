import { ForbiddenException, Injectable, UnauthorizedException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import type { Credentials } from './credentials.js';
import { Member } from './member.entity.js';
import { hashPassword, isPassword } from './password.js';

/** The shop's accounts. */
@Injectable()
export class Members {
  constructor(@InjectRepository(Member) private readonly members: Repository<Member>) {}

  /**
   * Who proves to be a member by password. A shop that is open to the world also limits how often one may try.
   * @throws 401 `wrong_password`, and 403 `member_disabled` once the password was right
   */
  async getByPassword({ login, password }: Credentials): Promise<Member> {
    const member = await this.members.findOneBy({ login });
    const isProven = await isPassword(password, member?.passwordHash ?? null);
    if (member === null || !isProven) throw new UnauthorizedException({ error: 'wrong_password' });
    if (member.disabled) throw new ForbiddenException({ error: 'member_disabled' });
    return member;
  }

  find(id: string): Promise<Member | null> {
    return this.members.findOneBy({ id });
  }

  /** Somebody new, who has no password. */
  create(name: string): Promise<Member> {
    return this.members.save({ name, login: null, passwordHash: null, disabled: false });
  }

  async remove(id: string): Promise<void> {
    await this.members.delete(id);
  }

  /** Adds an account with a password unless its login is taken. */
  async addIfMissing({ login, password }: Credentials, name: string): Promise<void> {
    const row = { login, passwordHash: await hashPassword(password), name };
    await this.members.createQueryBuilder().insert().values(row).orIgnore().execute();
  }
}
