import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { Agent, get } from 'node:https';
import { Get, Post, Req, Res, UnauthorizedException } from '@nestjs/common';
import pg from 'pg';
import { controller, routesWith, serveNest } from './nest.mjs';

export { pg };

/** Three tables with a key each, and nothing to look through later. */
const schema = `
  CREATE TABLE logins (id uuid PRIMARY KEY, user_id uuid);
  CREATE TABLE users (id uuid PRIMARY KEY, openid text NOT NULL UNIQUE);
  CREATE TABLE sessions (id uuid PRIMARY KEY, user_id uuid NOT NULL)`;

const statements = {
  claim: 'INSERT INTO logins (id) VALUES ($1)',
  resolve: `WITH person AS (
      INSERT INTO users (id, openid) VALUES ($1, $2) ON CONFLICT (openid) DO UPDATE SET openid = EXCLUDED.openid RETURNING id
    ) UPDATE logins SET user_id = person.id FROM person WHERE logins.id = $3`,
  redeem: `WITH login AS (DELETE FROM logins WHERE id = $1 RETURNING user_id)
    INSERT INTO sessions (id, user_id) SELECT $2, user_id FROM login RETURNING user_id`,
};

const wechat = new Agent({ keepAlive: true });
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/**
 * What any host pays that signs people in as this module does: three requests, one call to WeChat, three prepared statements and one
 * signature. It checks nothing, keeps nothing secret and refuses nobody.
 */
export async function start({ databaseUrl, appid, secret, publicUrl }) {
  const pool = new pg.Pool({ connectionString: databaseUrl });
  await pool.query(schema);
  const run = (name, values) => pool.query({ name, text: statements[name], values });
  class FloorController {
    authorize(_request, response) {
      const query = new URLSearchParams({
        appid,
        redirect_uri: `${publicUrl}/floor/callback`,
        response_type: 'code',
      });
      query.append('scope', 'snsapi_login');
      query.append('state', randomUUID());
      response.redirect(`https://open.weixin.qq.com/connect/qrconnect?${query}#wechat_redirect`);
    }

    async callback({ query: { code, state } }, response) {
      await run('claim', [state]);
      const exchange = new URLSearchParams({ appid, secret, code, grant_type: 'authorization_code' });
      const { openid } = await getJson(`https://api.weixin.qq.com/sns/oauth2/access_token?${exchange}`);
      await run('resolve', [randomUUID(), openid, state]);
      response.redirect(`/done?code=${state}`);
    }

    async token({ body: { code } }, response) {
      const { rows } = await run('redeem', [code, randomUUID()]);
      response.json({ access_token: tokenOf(rows[0].user_id), refresh_token: randomUUID() });
    }
  }
  const handler = [Req(), Res()];
  for (const name of ['authorize', 'callback', 'token'])
    handler.forEach((parameter, index) => parameter(FloorController.prototype, name, index));
  const routes = controller(FloorController, {
    authorize: [Get('floor/authorize')],
    callback: [Get('floor/callback')],
    token: [Post('floor/token')],
  });
  const { port, close } = await serveNest({ controllers: [routes, routesWith(HeaderGuard)] });
  return { port, close: () => close().then(() => pool.end()) };
}

class HeaderGuard {
  canActivate(context) {
    if ('authorization' in context.switchToHttp().getRequest().headers) return true;
    throw new UnauthorizedException();
  }
}

function getJson(url) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: wechat }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('error', reject).on('end', () => resolve(JSON.parse(text)));
    });
    request.on('error', reject);
  });
}

function tokenOf(subject) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256' })}.${part({ sub: subject, exp: Math.floor(Date.now() / 1000) + 900 })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
