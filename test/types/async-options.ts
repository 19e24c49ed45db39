import { Injectable, Module } from '@nestjs/common';
import { IamModule, type IamAsyncOptions, type IamOptions, type IamOptionsFactory } from '../../src/index.js';

/** A host's own configuration service. */
@Injectable()
export class Settings {
  readonly options: IamOptions = { publicUrl: 'https://app.example.com', keys: ['key'], clients: [] };
}

@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}

@Injectable()
export class Factory implements IamOptionsFactory {
  constructor(private readonly settings: Settings) {}

  createIamOptions(): IamOptions {
    return this.settings.options;
  }
}

/** Its options may take their time. */
export class SlowFactory implements IamOptionsFactory {
  async createIamOptions(): Promise<IamOptions> {
    return new Settings().options;
  }
}

/** Injected parameters keep their types. */
export const byFactory: IamAsyncOptions = {
  imports: [SettingsModule],
  inject: [Settings, 'REGION'],
  useFactory: (settings: Settings, region: string) => ({
    ...settings.options,
    wechat: { endpoints: { api: region } },
  }),
};

export const modules = [
  IamModule.forRootAsync(byFactory),
  IamModule.forRootAsync({ useFactory: async () => new Settings().options, path: 'auth' }),
  IamModule.forRootAsync({ imports: [SettingsModule], useClass: Factory, globalGuard: true }),
  IamModule.forRootAsync({ imports: [SettingsModule], useExisting: Factory, dataSource: 'identity' }),
];

export const mistakes = () => [
  // @ts-expect-error a factory makes all of the options
  IamModule.forRootAsync({ useFactory: () => ({ publicUrl: 'https://app.example.com' }) }),
  // @ts-expect-error a class that makes no options
  IamModule.forRootAsync({ useClass: Settings }),
  // @ts-expect-error a switch is on or off
  IamModule.forRootAsync({ useFactory: () => new Settings().options, globalGuard: 1 }),
];
