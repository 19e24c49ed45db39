import { Module, type NestApplicationOptions, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { DataSource } from 'typeorm';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../src/config/iam.resolved-options.js';
import { HostProviders } from '../src/config/iam.hooks.js';
import { runInContext } from '../src/runtime/request-context.js';
import { withDatabase } from './database.js';
import type { Environment } from './environment.js';

/** The module's services, as a command uses them. */
export interface Iam {
  readonly dataSource: DataSource;
  readonly get: <T>(type: Type<T>) => T;
}

/** What a command needs of the module. */
export interface Parts {
  /** Lists the services that the command uses, with all that they are made of; nothing in it starts work of its own. */
  readonly module: Type;
  /** Left out where nothing is sealed or opened. */
  readonly options?: ResolvedIamOptions;
}

/** What goes wrong is thrown, and told in one place. */
const quiet: Pick<NestApplicationOptions, 'logger' | 'abortOnError'> = { logger: false, abortOnError: false };

/** The connection and the options, for the services of every command. */
@Module({})
class SurroundingsModule {}

/**
 * Runs `work` with the very services that the application uses, and only those of the command: the inbox's worker of a process
 * without the host's handlers would take their events, and clean-up is not a command's business. What is audited says `cli`.
 */
export async function withIam<T>(
  environment: Environment,
  { module, options }: Parts,
  work: (iam: Iam) => Promise<T>,
): Promise<T> {
  return withDatabase(environment, async (dataSource) => {
    const providers: Provider[] = [
      HostProviders,
      { provide: IAM_DATA_SOURCE, useValue: dataSource },
      ...(options === undefined ? [] : [{ provide: IAM_OPTIONS, useValue: options }]),
    ];
    const context = await NestFactory.createApplicationContext(
      {
        module: SurroundingsModule,
        global: true,
        imports: [module],
        providers,
        exports: [HostProviders, IAM_DATA_SOURCE, ...(options === undefined ? [] : [IAM_OPTIONS])],
      },
      quiet,
    );
    try {
      const iam = { dataSource, get: <S>(type: Type<S>): S => context.get(type, { strict: false }) };
      return await runInContext(() => work(iam), { actor: 'cli' });
    } finally {
      await context.close();
    }
  });
}
