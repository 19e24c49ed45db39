import { AuthGuard, AuthModule } from '@thallesp/nestjs-better-auth';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import pg from 'pg';
import { routesWith, serveNest } from './nest.mjs';

export { pg };

/**
 * Nest with better-auth as both documentations say: the community's Nest module, the built-in WeChat provider, a pool of `pg`,
 * the schema by better-auth's own migration. Rate limits and telemetry are off, as they are in the other hosts.
 */
export async function start({ databaseUrl, appid, secret, publicUrl }) {
  const options = {
    baseURL: publicUrl,
    secret: 'the secret of the benchmarks, of more than thirty-two characters',
    database: new pg.Pool({ connectionString: databaseUrl }),
    socialProviders: { wechat: { clientId: appid, clientSecret: secret } },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
  };
  const { runMigrations } = await getMigrations(options);
  await runMigrations();
  const imports = [AuthModule.forRoot({ auth: betterAuth(options), disableGlobalAuthGuard: true })];
  return serveNest({ imports, controllers: [routesWith(AuthGuard)] }, { bodyParser: false });
}
