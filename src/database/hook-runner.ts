import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { isDatabaseUnavailable, isTransient } from './database-errors.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IamError } from '../errors/iam.error.js';
import {
  type IamHooks,
  type MatchedUser,
  type SignIn,
  type SignUp,
  type SignUpDecision,
  HostProviders,
} from '../config/iam.hooks.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';

/** Calls the host's hooks: the host's provider of the configured class, or else an instance created by DI. */
@Injectable()
export class HookRunner implements OnModuleInit {
  private readonly logger = new IamLogger(HookRunner.name);
  private hooks: IamHooks = {};

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly host: HostProviders,
  ) {}

  async onModuleInit(): Promise<void> {
    const { hooks } = this.options;
    if (hooks === undefined) return;
    this.hooks = await this.host.findOrCreate(hooks);
  }

  /** Returns the host's decision about a new person; an error of the hook ends the sign-in. */
  async beforeSignUp(signUp: SignUp): Promise<SignUpDecision | undefined> {
    const { hookTimeout } = this.options;
    return reporting('beforeSignUp', () => within(hookTimeout, () => this.hooks.beforeSignUp?.(signUp)));
  }

  /** Returns the account that the host knows a new person as; an error of the hook ends the sign-in. */
  async matchUser(person: SignUp): Promise<MatchedUser | undefined> {
    const { hooks } = this;
    if (hooks.matchUser === undefined) return undefined;
    const { hookTimeout } = this.options;
    const matched: unknown = await reporting('matchUser', () =>
      within(hookTimeout, () => hooks.matchUser?.(person)),
    );
    return matched == null ? undefined : readMatched(matched);
  }

  /** Notifies the host of a completed sign-in; an error of the hook is only logged. */
  async afterSignIn(signIn: SignIn): Promise<void> {
    try {
      await this.hooks.afterSignIn?.(signIn);
    } catch (error) {
      this.logger.error('afterSignIn failed', error instanceof Error ? error.stack : undefined);
    }
  }

  /** Lets the host reassign its rows in the merge's transaction; an error of the hook rolls the merge back. */
  async onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> {
    await reporting('onMerge', () => this.hooks.onMerge?.(fromUserId, toUserId, manager));
  }

  /** Lets the host delete its rows in the erasure's transaction; an error of the hook rolls the erasure back. */
  async onErase(userId: string, manager: EntityManager): Promise<void> {
    await reporting('onErase', () => this.hooks.onErase?.(userId, manager));
  }
}

const matchedSchema = z.union([
  z.strictObject({ userId: z.string() }),
  z.strictObject({ externalId: z.string() }),
]) satisfies z.ZodType<MatchedUser>;

/** JavaScript gives any value: one that names no account, or two, must not sign anybody in. */
function readMatched(matched: unknown): MatchedUser {
  const { success, data } = matchedSchema.safeParse(matched);
  if (success) return data;
  throw new IamError(
    'internal_error',
    'the host’s matchUser hook returned neither { externalId } nor { userId }',
  );
}

/** A hook that does not answer would keep the person, and everybody who repeats the request, waiting. */
async function within<T>(milliseconds: number, run: () => Promise<T> | T): Promise<T> {
  const timer = new AbortController();
  const late = delay(milliseconds, undefined, { signal: timer.signal, ref: false }).then(() => {
    throw new Error(`no answer within ${milliseconds} ms`);
  });
  // A hook that throws at once must not leave the timer's end without a listener: that would end the process.
  const answer = Promise.resolve().then(run);
  try {
    return await Promise.race([answer, late]);
  } finally {
    timer.abort();
  }
}

/**
 * Names the hook in the error, so that the log shows where it came from. An `IamError` of the hook passes unchanged to the
 * caller, and so do deadlocks, serialization failures and outages of PostgreSQL, which the hook did not cause.
 */
async function reporting<T>(hook: keyof IamHooks, run: () => Promise<T> | T): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof IamError || isTransient(cause) || isDatabaseUnavailable(cause)) throw cause;
    throw new IamError('internal_error', `the host's ${hook} hook failed`, { cause });
  }
}
