import {
  Controller,
  Get,
  type INestApplication,
  Module,
  type NestApplicationOptions,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  type AuthenticatedUser,
  CurrentUser,
  IamGuard,
  iamMigrations,
  IamModule,
  IdentityProviders,
} from '../../src/index.js';
import type { ReplicaSettings } from './readings.js';

@Controller()
class RoutesController {
  @Get('open')
  open(): { readonly id: null } {
    return { id: null };
  }

  @UseGuards(IamGuard)
  @Get('guarded')
  guarded(@CurrentUser() user: AuthenticatedUser): { readonly id: string } {
    return { id: user.id };
  }
}

@Module({})
class HostModule {}

const quiet: Pick<NestApplicationOptions, 'logger'> = { logger: ['error', 'fatal'] };
const silent: Pick<NestApplicationOptions, 'logger'> = { logger: false };

/** The one redirect URI of the client `web`. */
export const redirectUriOf = (publicUrl: string): string => `${publicUrl}/signed-in`;

/** Opens the admin API. */
export const adminToken = 'the-admin-token-of-the-benchmarks-0123456789';

/** A host as a user would write it, with one route behind the guard and one in front of it. */
export async function createHostApp(settings: ReplicaSettings): Promise<INestApplication> {
  const {
    databaseUrl,
    endpoints,
    publicUrl,
    key,
    provider,
    preparedStatements = true,
    isSilent = false,
  } = settings;
  const module = {
    module: HostModule,
    imports: [
      TypeOrmModule.forRoot({
        type: 'postgres',
        url: databaseUrl,
        autoLoadEntities: true,
        migrations: [...iamMigrations],
        migrationsRun: true,
      }),
      IamModule.forRoot({
        publicUrl,
        keys: [key],
        clients: [{ id: 'web', redirectUris: [redirectUriOf(publicUrl)] }],
        ...(endpoints === null ? {} : { wechat: { endpoints, allowLoopback: true } }),
        database: { preparedStatements },
        rateLimits: 'off',
        admin: { token: adminToken },
      }),
    ],
    controllers: [RoutesController],
  };
  const app = await NestFactory.create(module, isSilent ? silent : quiet);
  if (provider !== null) await app.get(IdentityProviders).save({ slug: 'wechat', ...provider });
  return app;
}
