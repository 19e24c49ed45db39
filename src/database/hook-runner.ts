import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { isDatabaseUnavailable, isTransient } from './database-errors.js';
import { IamLogger } from '../runtime/iam-logger.js';
import { IamError } from '../errors/iam.error.js';
import {
  type IamHooks,
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
    return reporting('beforeSignUp', () => this.hooks.beforeSignUp?.(signUp));
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
