import type { EntityManager } from 'typeorm';
import { Injectable, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';

/** A person whom WeChat has proven and who has no user yet. */
export interface SignUp {
  readonly provider: string;
  readonly appid: string;
  readonly openid: string;
  readonly unionid: string | null;
  readonly nickname: string | null;
  readonly avatarUrl: string | null;
  /** By E.164, e.g. `+8613800138000`, where WeChat has verified one with this sign-in. */
  readonly phoneNumber: string | null;
}

/** The account of the host that a person is: by its external id, whose user is created if there is none yet, or by our id. */
export type MatchedUser = { readonly externalId: string } | { readonly userId: string };

/** What a host decides about a new person; nothing lets them in. */
export interface SignUpDecision {
  /** Refuses the sign-up; the sign-in ends with `sign_up_refused`. */
  readonly refuse?: boolean;
  /** The id under which the host knows this user. */
  readonly externalId?: string;
  readonly nickname?: string;
}

/** A completed sign-in. */
export interface SignIn {
  readonly userId: string;
  readonly sessionId: string;
  readonly clientId: string;
  readonly provider: string;
  readonly isNewUser: boolean;
}

/** Extension points of a host; every method is optional. */
export interface IamHooks {
  /**
   * Says which account a person is whom the module does not know, before the row's `sign_up` decides, by every way of signing in;
   * `undefined` leaves it to the row. Whom it names, the person signs in as: the host vouches for that. Runs outside any transaction and
   * has `hookTimeout` to answer. An account that WeChat shows to be another person (it has another identity of the same app, or another unionid)
   * ends the sign-in with `identity_conflict`, one that is banned with `user_disabled`; one that is not there is an error of the hook.
   */
  matchUser?(person: SignUp): Promise<MatchedUser | undefined> | MatchedUser | undefined;
  /**
   * Runs before a user is created, outside any transaction, and has `hookTimeout` to answer; may be called again when two sign-ups race.
   */
  beforeSignUp?(signUp: SignUp): Promise<SignUpDecision | undefined> | SignUpDecision | undefined;
  /** Runs after a session has begun; an error in it is logged and changes nothing. */
  afterSignIn?(signIn: SignIn): Promise<void> | void;
  /** Runs in the transaction of a merge, so that the host re-parents its own rows or, by throwing, prevents it. */
  onMerge?(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> | void;
  /**
   * Runs in the transaction of an erasure, before anything is removed, so that the host removes its own rows about the
   * user or, by throwing, prevents the erasure. May run again when the transaction is repeated, or the day is tried again.
   */
  onErase?(userId: string, manager: EntityManager): Promise<void> | void;
}

/** An entry of `iam.audit_log`, as a host's sink receives it. */
export interface IamAuditEntry {
  /** UUID version 7: the key by which a receiver recognizes a repeated entry. */
  readonly id: string;
  readonly at: Date;
  /** What happened, e.g. `login.authenticated`. */
  readonly action: string;
  /** The user that it concerns. */
  readonly userId: string | null;
  /** The session that it concerns, otherwise the one of the request. */
  readonly sessionId: string | null;
  readonly clientId: string | null;
  readonly provider: string | null;
  /** The address of the request that caused it; null where none did. */
  readonly ip: string | null;
  readonly userAgent: string | null;
  /** Who did it: `user:<id>`, `client:<id>` (a service), `api_key:<id>`, `admin_token`, `host`, `wechat` (by a push) or `cli`; null for a stranger and in background work. */
  readonly actor: string | null;
  readonly correlationId: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/**
 * Receives audit entries, e.g. for the host's log pipeline: every one that is committed since the first start with a sink,
 * at least once, from one replica at a time. Those of one call are in the order of their ids.
 */
export interface IamAuditSink {
  /** An error makes the module offer the same entries again later. */
  write(entries: readonly IamAuditEntry[]): Promise<void> | void;
}

/** The host's providers, as `IamModule` and its `imports` see them. */
@Injectable()
export class HostProviders {
  constructor(private readonly moduleRef: ModuleRef) {}

  /** The host's own provider of a class that an option names, or an instance of it made by DI. */
  async findOrCreate<T>(type: Type<T>): Promise<T> {
    return this.find(type) ?? (await this.moduleRef.create(type));
  }

  /** Nest throws where no module of the host provides the class. */
  private find<T>(type: Type<T>): T | null {
    try {
      return this.moduleRef.get(type, { strict: false });
    } catch {
      return null;
    }
  }
}
