import { Module, type NestApplicationOptions, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { DataSource } from 'typeorm';
import { IAM_DATA_SOURCE, IAM_OPTIONS, type ResolvedIamOptions } from '../src/iam.resolved-options.js';
import { runInContext } from '../src/request-context.js';
import { withDatabase } from './data-source.js';
import type { Environment } from './environment.js';
import { withDependencies } from './with-dependencies.js';

/** The module's services, as a command uses them. */
export interface Iam {
  readonly dataSource: DataSource;
  readonly get: <T>(type: Type<T>) => T;
}

/** What a command needs of the module. */
export interface Parts {
  readonly providers: readonly Provider[];
  /** Left out where nothing is sealed or opened. */
  readonly options?: ResolvedIamOptions;
}

/** What goes wrong is thrown, and told in one place. */
const quiet: Pick<NestApplicationOptions, 'logger' | 'abortOnError'> = { logger: false, abortOnError: false };

@Module({})
class CliModule {}

/**
 * Runs `work` with the very services that the application uses, and only those that it needs: the inbox's worker of a process
 * without the host's handlers would take their events, and clean-up is not a command's business. What is audited says `cli`.
 */
export async function withIam<T>(
  environment: Environment,
  { providers, options }: Parts,
  work: (iam: Iam) => Promise<T>,
): Promise<T> {
  return withDatabase(environment, async (dataSource) => {
    const given: Provider[] = [
      { provide: IAM_DATA_SOURCE, useValue: dataSource },
      ...(options === undefined ? [] : [{ provide: IAM_OPTIONS, useValue: options }]),
    ];
    const context = await NestFactory.createApplicationContext(
      { module: CliModule, providers: withDependencies([...given, ...providers]) },
      quiet,
    );
    try {
      const iam = { dataSource, get: <S>(type: Type<S>): S => context.get(type) };
      return await runInContext(() => work(iam), { actor: 'cli' });
    } finally {
      await context.close();
    }
  });
}
