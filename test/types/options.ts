import type { IamHooks, IamOptions, IamStaticOptions } from '../../src/index.js';
import { IamModule } from '../../src/index.js';

/** Compiled and never run: `npm run typecheck` fails when a public type changes its mind. */

class Hooks implements IamHooks {
  afterSignIn(): void {
    // Nothing to tell.
  }
}

/** The least a host writes. */
export const least: IamOptions = {
  publicUrl: 'https://app.example.com',
  keys: ['key'],
  clients: [{ id: 'web', redirectUris: ['https://app.example.com/signed-in'] }],
};

/** Everything a host may write. */
export const most: IamOptions & IamStaticOptions = {
  ...least,
  wechat: { endpoints: { api: 'https://api2.weixin.qq.com' }, timeout: 3_000, allowLoopback: false },
  tokens: {
    accessToken: 60,
    idle: 600,
    absolute: 3_600,
    refreshGrace: 5,
    audience: 'https://api.example.com',
  },
  profileFreshness: 60,
  loginLifetime: 300,
  hooks: Hooks,
  path: 'auth',
  globalGuard: true,
  dataSource: 'identity',
};

/** A host may freeze what it hands over. */
export const frozen: IamOptions = {
  publicUrl: 'https://app.example.com',
  keys: ['key'] as const,
  clients: [{ id: 'web', redirectUris: ['https://app.example.com/'] }] as const,
} as const;

export const modules = [
  IamModule.forRoot(least),
  IamModule.forRoot(most),
  IamModule.forRoot({ ...least, keys: [process.env['IAM_KEY']] }),
];

export const mistakes = () => [
  // @ts-expect-error publicUrl, keys and clients have no default
  IamModule.forRoot({}),
  // @ts-expect-error a client returns somewhere
  IamModule.forRoot({ ...least, clients: [{ id: 'web' }] }),
  // @ts-expect-error no such option
  IamModule.forRoot({ ...least, publicURL: 'https://app.example.com' }),
  // @ts-expect-error lifetimes are numbers of seconds
  IamModule.forRoot({ ...least, tokens: { accessToken: '15m' } }),
  // @ts-expect-error hooks are a class, so that Nest can inject into it
  IamModule.forRoot({ ...least, hooks: new Hooks() }),
  // @ts-expect-error options are not changed behind the module's back
  (least.publicUrl = 'https://evil.example'),
];
