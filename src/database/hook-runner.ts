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

/** Calls the host's hooks: its own provider of the configured class if there is one, else an instance made by DI. */
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

  /** What the host says of a new person; its errors end the sign-in. */
  async beforeSignUp(signUp: SignUp): Promise<SignUpDecision | undefined> {
    return reporting('beforeSignUp', () => this.hooks.beforeSignUp?.(signUp));
  }

  /** Tells the host of a completed sign-in; its errors are logged and change nothing. */
  async afterSignIn(signIn: SignIn): Promise<void> {
    try {
      await this.hooks.afterSignIn?.(signIn);
    } catch (error) {
      this.logger.error('afterSignIn failed', error instanceof Error ? error.stack : undefined);
    }
  }

  /** Lets the host re-parent its rows in the merge's transaction; its errors undo the merge. */
  async onMerge(fromUserId: string, toUserId: string, manager: EntityManager): Promise<void> {
    await reporting('onMerge', () => this.hooks.onMerge?.(fromUserId, toUserId, manager));
  }

  /** Lets the host remove its rows in the erasure's transaction; its errors undo the erasure. */
  async onErase(userId: string, manager: EntityManager): Promise<void> {
    await reporting('onErase', () => this.hooks.onErase?.(userId, manager));
  }
}

/**
 * The log says whose fault an error is. An `IamError` of the host is its own word to the caller, and what PostgreSQL says
 * of a lost race or an outage is not the hook's doing.
 */
async function reporting<T>(hook: keyof IamHooks, run: () => Promise<T> | T): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof IamError || isTransient(cause) || isDatabaseUnavailable(cause)) throw cause;
    throw new IamError('internal_error', `the host's ${hook} hook failed`, { cause });
  }
}
