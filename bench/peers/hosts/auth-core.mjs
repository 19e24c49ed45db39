import { ExpressAuth, getSession } from '@auth/express';
import WeChat from '@auth/core/providers/wechat';
import PostgresAdapter from '@auth/pg-adapter';
import express from 'express';
import pg from 'pg';
import { guarded, open, serveExpress } from './express.mjs';

export { pg };

/**
 * The schema of the adapter's documentation, with unique indexes on what it looks for: without them every sign-in and every
 * session reads the whole table.
 */
const schema = `
  CREATE TABLE verification_token (
    identifier text NOT NULL, expires timestamptz NOT NULL, token text NOT NULL, PRIMARY KEY (identifier, token)
  );
  CREATE TABLE accounts (
    id serial PRIMARY KEY,
    "userId" integer NOT NULL,
    type varchar(255) NOT NULL,
    provider varchar(255) NOT NULL,
    "providerAccountId" varchar(255) NOT NULL,
    refresh_token text,
    access_token text,
    expires_at bigint,
    id_token text,
    scope text,
    session_state text,
    token_type text,
    UNIQUE (provider, "providerAccountId")
  );
  CREATE TABLE sessions (
    id serial PRIMARY KEY,
    "userId" integer NOT NULL,
    expires timestamptz NOT NULL,
    "sessionToken" varchar(255) NOT NULL UNIQUE
  );
  CREATE TABLE users (
    id serial PRIMARY KEY, name varchar(255), email varchar(255), "emailVerified" timestamptz, image text
  )`;

/** Express with Auth.js, its users and sessions in PostgreSQL by its adapter. */
export async function start({ databaseUrl, appid, secret }) {
  const pool = new pg.Pool({ connectionString: databaseUrl });
  await pool.query(schema);
  const config = {
    basePath: '/auth',
    secret: 'the secret of the benchmarks, of more than thirty-two characters',
    trustHost: true,
    adapter: PostgresAdapter(pool),
    providers: [WeChat({ clientId: appid, clientSecret: secret, platformType: 'WebsiteApp' })],
    callbacks: { session: ({ session, user }) => ({ ...session, user }) },
  };
  const app = express();
  app.use('/auth', ExpressAuth(config));
  app.get('/open', open);
  const guard = async (request, response, next) => {
    const session = await getSession(request, config);
    if (session === null) return response.status(401).json({ message: 'Unauthorized' });
    request.user = session.user;
    next();
  };
  app.get('/guarded', guard, guarded);
  return serveExpress(app, pool);
}
