import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, MoreThan, Repository } from 'typeorm';
import type { Member } from './member.entity.js';
import { MemberSession } from './member-session.entity.js';

/** How long a password sign-in lasts, in milliseconds. */
export const SESSION_MS = 12 * 60 * 60 * 1000;

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** The shop's own sessions, which password sign-in begins; WeChat sign-in knows nothing of them. */
@Injectable()
export class MemberSessions {
  constructor(@InjectRepository(MemberSession) private readonly sessions: Repository<MemberSession>) {}

  /** Returns the token that the browser's cookie is to hold. */
  async begin(member: Member): Promise<string> {
    await this.sessions.delete({ expiresAt: LessThan(new Date()) });
    const token = randomBytes(32).toString('base64url');
    const expiresAt = new Date(Date.now() + SESSION_MS);
    await this.sessions.insert({ tokenHash: hashOf(token), member, expiresAt });
    return token;
  }

  async find(token: string): Promise<Member | null> {
    const session = await this.sessions.findOne({
      where: { tokenHash: hashOf(token), expiresAt: MoreThan(new Date()) },
      relations: { member: true },
    });
    return session?.member ?? null;
  }

  async end(token: string): Promise<void> {
    await this.sessions.delete({ tokenHash: hashOf(token) });
  }
}
