import assert from 'node:assert/strict';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import OpenIdConnectStrategy from 'passport-openidconnect';
import { check, listen, register, report, signIn, world } from './check.mjs';
import { createServer } from 'node:http';

const { issuer, person } = world;
const site = express();
const origin = await listen(createServer(site));
const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();

const { client_id, client_secret } = await register({
  type: 'confidential',
  redirect_uris: [`${origin}/callback`],
});
passport.use(
  new OpenIdConnectStrategy(
    {
      issuer,
      authorizationURL: metadata.authorization_endpoint,
      tokenURL: metadata.token_endpoint,
      userInfoURL: metadata.userinfo_endpoint,
      clientID: client_id,
      clientSecret: client_secret,
      callbackURL: `${origin}/callback`,
      scope: 'profile',
      // It knows no PKCE.
      nonce: true,
      skipUserProfile: false,
    },
    (_issuer, profile, done) => done(null, profile),
  ),
);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));
site.use(session({ secret: 'a secret', resave: false, saveUninitialized: false }));
site.use(passport.session());
site.get('/login', passport.authenticate('openidconnect'));
site.get(
  '/callback',
  passport.authenticate('openidconnect', {
    successRedirect: '/me',
    failureMessage: true,
    failWithError: true,
  }),
);
site.get('/me', (request, response) => response.json(request.user));

await check('sign-in with a nonce and without PKCE', async () => {
  const { status, url, body } = await signIn('pc', `${origin}/login`);
  assert.deepEqual([status, url], [200, `${origin}/me`], body);
  const user = JSON.parse(body);
  assert.equal(typeof user.id, 'string');
  assert.equal(user.displayName, person.nickname);
});

await report('passport-openidconnect');
