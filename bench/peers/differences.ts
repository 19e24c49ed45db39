import type { Table } from '../group.js';

/** What each host does for a sign-in and for a guarded request; the figures mean little without it. */
export const differences: Table = {
  title: 'What each of them does at a sign-in, and for a guarded request',
  columns: {
    what: '',
    module: 'this module',
    betterAuth: 'better-auth',
    passport: 'passport-wechat',
    authCore: '@auth/core',
  },
  rows: [
    {
      what: 'user and WeChat account in PostgreSQL',
      module: 'yes',
      betterAuth: 'yes',
      passport: 'by its host',
      authCore: 'yes',
    },
    {
      what: 'session in PostgreSQL',
      module: 'yes',
      betterAuth: 'yes',
      passport: 'yes',
      authCore: 'yes',
    },
    {
      what: 'state in the browser that began, used once',
      module: 'cookie and row',
      betterAuth: 'cookie and row',
      passport: 'no, a constant',
      authCore: 'cookie',
    },
    {
      what: 'row of the attempt, kept, with address and browser',
      module: 'yes',
      betterAuth: 'no',
      passport: 'no',
      authCore: 'no',
    },
    { what: 'audit entries', module: 'yes', betterAuth: 'no', passport: 'no', authCore: 'no' },
    {
      what: 'code and PKCE between front-end and host',
      module: 'yes, one more request',
      betterAuth: 'no, a cookie',
      passport: 'no, a cookie',
      authCore: 'no, a cookie',
    },
    {
      what: 'refresh token that rotates',
      module: 'yes',
      betterAuth: 'no',
      passport: 'no',
      authCore: 'no',
    },
    {
      what: 'WeChat profile of a returning person',
      module: 'once a day',
      betterAuth: 'read every time',
      passport: 'read every time',
      authCore: 'read every time',
    },
    {
      what: "WeChat's tokens",
      module: 'not kept',
      betterAuth: 'row, rewritten every time',
      passport: "process' memory",
      authCore: 'row, at the first one',
    },
    {
      what: 'one person in several apps',
      module: 'openids and unionid',
      betterAuth: 'unionid or openid',
      passport: 'by its host',
      authCore: 'unionid',
    },
    {
      what: 'the guard',
      module: "checks the token's signature",
      betterAuth: 'reads session and user',
      passport: 'reads session and user, writes the session',
      authCore: 'reads session and user',
    },
    {
      what: 'an ended session acts in the guard',
      module: 'within 15 minutes',
      betterAuth: 'at once',
      passport: 'at once',
      authCore: 'at once',
    },
  ],
};
