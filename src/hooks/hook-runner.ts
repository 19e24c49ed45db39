import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import type { IamHooks, SignIn, SignUp, SignUpDecision } from '../iam.hooks.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../iam.resolved-options.js';
import { findOrCreate } from './find-or-create.js';

/** Calls the host's hooks: its own provider of the configured class if there is one, else an instance made by DI. */
@Injectable()
export class HookRunner implements OnModuleInit {
  private readonly logger = new Logger(HookRunner.name);
  private hooks: IamHooks = {};

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly moduleRef: ModuleRef,
  ) {}

  async onModuleInit(): Promise<void> {
    const { hooks } = this.options;
    if (hooks === undefined) return;
    this.hooks = await findOrCreate(this.moduleRef, hooks);
  }

  /** What the host says of a new person; its errors end the sign-in. */
  async beforeSignUp(signUp: SignUp): Promise<SignUpDecision | undefined> {
    return this.hooks.beforeSignUp?.(signUp);
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
    await this.hooks.onMerge?.(fromUserId, toUserId, manager);
  }
}
