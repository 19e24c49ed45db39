import { readFileSync } from 'node:fs';

/** What `npm run mutation` changes, in groups, and the specs that must notice: docs/mutation.md. */
export const groups = {
  crypto: {
    mutate: ['src/crypto/*.ts'],
    specs: ['test/crypto/*.spec.ts', 'test/sign-in/attempt-cookies.spec.ts'],
  },
  messages: {
    mutate: ['src/wechat/message-cipher.ts'],
    specs: ['test/wechat/message-cipher.spec.ts'],
  },
  webhook: {
    mutate: ['src/webhook/verify-push.ts'],
    specs: ['test/webhook/verify-push*.spec.ts'],
  },
  parsing: {
    mutate: ['src/webhook/{parse-message,parse-xml,message}.ts'],
    specs: ['test/webhook/parse-message*.spec.ts'],
  },
  state: {
    mutate: [
      'src/wechat/strategies/{callback,state-store}.ts',
      part('src/wechat/authorize-url.ts', 'export function readAuthorizationCode'),
    ],
    specs: ['test/wechat/strategies/*.spec.ts'],
  },
  attempts: {
    mutate: [
      'src/sign-in/attempt-cookies.service.ts',
      part('src/sign-in/login.ts', 'export function mintLoginToken'),
      part('src/sign-in/login.ts', 'export function readLoginToken'),
    ],
    specs: ['test/sign-in/attempt-cookies.spec.ts'],
  },
  methods: {
    mutate: [
      part('src/http/user-agent.ts', 'export function classifyBrowser'),
      part('src/http/user-agent.ts', 'function isPhone'),
      part('src/oauth/registration.ts', 'export class SignInMethods'),
    ],
    specs: [
      'test/http/user-agent.spec.ts',
      'test/oauth/sign-in-methods.spec.ts',
      'test/qr-login/follow-then-open.spec.ts',
    ],
    database: true,
  },
  access: {
    mutate: ['src/sessions/access-policy.service.ts', 'src/sessions/iam.guard.ts'],
    specs: [
      'test/sessions/{guard,access-policy,api-keys,services,sockets}.spec.ts',
      'test/oauth/third-parties.spec.ts',
    ],
    database: true,
  },
};

/** The lines of a declaration of a file, from its first one to the brace that ends it. */
function part(file, declaration) {
  const lines = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8').split('\n');
  const first = lines.findIndex((line) => line.startsWith(declaration));
  const last = lines.findIndex((line, at) => at > first && line.startsWith('}'));
  if (first === -1 || last === -1) throw new Error(`${file} has no "${declaration}"`);
  return `${file}:${first + 1}-${last + 1}`;
}
