import { type DynamicModule, type FactoryProvider, type Provider, type Type } from '@nestjs/common';
import type { IamOptions, IamStaticOptions } from './iam.options.js';
import { IAM_OPTIONS } from './iam.resolved-options.js';
import { resolveOptions } from './resolve-options.js';

/** A class that makes the options, for `useClass` and `useExisting`. */
export interface IamOptionsFactory {
  createIamOptions(): Promise<IamOptions> | IamOptions;
}

/** Options that come from other providers: exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface IamAsyncOptions extends IamStaticOptions, Pick<DynamicModule, 'imports'> {
  readonly useFactory?: (...injected: never[]) => Promise<IamOptions> | IamOptions;
  readonly inject?: FactoryProvider['inject'];
  readonly useClass?: Type<IamOptionsFactory>;
  readonly useExisting?: Type<IamOptionsFactory>;
}

/** The provider of the resolved options that an async registration describes. */
export function asyncOptions(options: IamAsyncOptions): Provider[] {
  const { useFactory, useClass, useExisting, inject = [] } = options;
  const sources = [useFactory, useClass, useExisting].filter((each) => each !== undefined);
  if (sources.length !== 1)
    throw new TypeError(
      'IamModule.forRootAsync: expected exactly one of `useFactory`, `useClass` and `useExisting`',
    );
  if (useFactory !== undefined) {
    const factory = async (...injected: never[]) => resolveOptions(await useFactory(...injected), options);
    return [{ provide: IAM_OPTIONS, useFactory: factory, inject }];
  }
  const source = useClass ?? useExisting;
  if (source === undefined) return [];
  const factory = async (host: IamOptionsFactory) => resolveOptions(await host.createIamOptions(), options);
  const provider: Provider = { provide: IAM_OPTIONS, useFactory: factory, inject: [source] };
  return useClass === undefined ? [provider] : [useClass, provider];
}
