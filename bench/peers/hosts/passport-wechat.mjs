import connectPgSimple from 'connect-pg-simple';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import WechatStrategy from 'passport-wechat';
import pg from 'pg';
import { guarded, open, serveExpress } from './express.mjs';

export { pg };

/** passport-wechat leaves users to its host: a table with what most hosts keep. The other one is connect-pg-simple's. */
const schema = `
  CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    openid text NOT NULL UNIQUE,
    unionid text UNIQUE,
    nickname text,
    avatar text,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE session (sid varchar NOT NULL PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL);
  CREATE INDEX "IDX_session_expire" ON session (expire)`;

/** Finds or creates, as the examples of Passport do. */
async function userOf(pool, { openid, unionid, nickname, headimgurl }) {
  const { rows } = await pool.query('SELECT id FROM users WHERE openid = $1', [openid]);
  if (rows.length > 0) return rows[0];
  const created = await pool.query(
    'INSERT INTO users (openid, unionid, nickname, avatar) VALUES ($1, $2, $3, $4) RETURNING id',
    [openid, unionid, nickname, headimgurl],
  );
  return created.rows[0];
}

function configurePassport(pool, { appid, secret, publicUrl }) {
  const options = {
    appID: appid,
    appSecret: secret,
    client: 'web',
    scope: 'snsapi_login',
    state: 'state',
    callbackURL: `${publicUrl}/auth/wechat/callback`,
  };
  const verify = (_access, _refresh, profile, _expiresIn, done) =>
    userOf(pool, profile).then((user) => done(null, user), done);
  passport.use(new WechatStrategy(options, verify));
  passport.serializeUser((user, done) => done(null, user.id));
  passport.deserializeUser((id, done) => {
    const found = pool.query('SELECT * FROM users WHERE id = $1', [id]);
    found.then(({ rows }) => done(null, rows[0] ?? false), done);
  });
}

/** Express with Passport, its sessions in PostgreSQL by connect-pg-simple. */
export async function start({ databaseUrl, ...wechat }) {
  const pool = new pg.Pool({ connectionString: databaseUrl });
  await pool.query(schema);
  configurePassport(pool, wechat);
  const app = express();
  const Store = connectPgSimple(session);
  app.use(
    session({
      secret: 'the secret of the benchmarks',
      store: new Store({ pool }),
      resave: false,
      saveUninitialized: false,
    }),
    passport.initialize(),
    passport.session(),
  );
  app.get('/auth/wechat', passport.authenticate('wechat'));
  app.get('/auth/wechat/callback', passport.authenticate('wechat'), (_request, response) =>
    response.redirect('/done'),
  );
  app.get('/open', open);
  const guard = (request, response, next) =>
    request.isAuthenticated() ? next() : response.status(401).json({ message: 'Unauthorized' });
  app.get('/guarded', guard, guarded);
  return serveExpress(app, pool);
}
