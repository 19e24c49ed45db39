import 'reflect-metadata';
import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { IamError, type IdentityProviderInput, IdentityProviders } from 'nestjs-wechat-iam';
import { DataSource } from 'typeorm';
import { serveApiDocs } from './api-docs.js';
import { AppModule, type AppSettings } from './app.module.js';
import { demoProviders } from './demo/demo-providers.js';
import { saveDemoRole } from './demo/demo-role.js';
import { servePages } from './pages.js';
import { StartUpError } from './run/start-up.error.js';
import { StderrLogger } from './run/stderr-logger.js';

/** The application; it does not listen yet. */
export async function createApp(settings: AppSettings): Promise<NestExpressApplication> {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Nest declares its options as a class
  const options: NestApplicationOptions = {
    logger: new StderrLogger({ logLevels: ['warn', 'error', 'fatal'] }),
    abortOnError: false,
  };
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(settings), options);
  servePages(app);
  serveApiDocs(app, settings.publicUrl);
  return app;
}

/** Puts the provider rows and the demo's role into the database. */
export async function saveDemo(
  app: NestExpressApplication,
  rows: readonly IdentityProviderInput[],
): Promise<void> {
  await saveProviderRows(app.get(IdentityProviders), rows);
  await saveDemoRole(app.get(DataSource));
}

/** Writes the rows of a file as they are; the demo's row only once, so that an administrator's changes to it stay. */
async function saveProviderRows(
  providers: IdentityProviders,
  rows: readonly IdentityProviderInput[],
): Promise<void> {
  for (const row of rows) {
    if (demoProviders.includes(row) && (await exists(providers, row.slug))) continue;
    try {
      await providers.save(row);
    } catch (cause) {
      if (!(cause instanceof IamError)) throw cause;
      throw new StartUpError(`IAM_PROVIDERS, row "${row.slug}": ${cause.detail}.`, { cause });
    }
  }
}

async function exists(providers: IdentityProviders, slug: string): Promise<boolean> {
  try {
    await providers.getEnabled(slug);
    return true;
  } catch (error) {
    if (error instanceof IamError) return error.code !== 'provider_not_found';
    throw error;
  }
}
