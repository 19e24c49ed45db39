import { Injectable, Module } from '@nestjs/common';

/** What a ConfigService does: values that exist only once Nest has made their provider. */
@Injectable()
export class Settings {
  get(name: string): string {
    const value = process.env[name];
    if (value === undefined) throw new Error(`${name} is not set`);
    return value;
  }
}

@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}
