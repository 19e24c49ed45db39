import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import { endAll } from './end-with-tests.js';

/**
 * Tests talk to this machine only (and to the server that TEST_DATABASE_URL names). Any other connection or name lookup throws
 * at once and, should the code under test swallow that, fails the test that made it. Child processes are not watched.
 */
const attemptsKey = Symbol.for('nestjs-wechat-iam.blocked-attempts');

const databaseHost = new URL(process.env['IAM_TEST_POSTGRES_URL'] ?? 'postgresql://localhost').hostname;

const isAllowed = (host: string): boolean =>
  host === databaseHost ||
  host === 'localhost' ||
  host.endsWith('.localhost') ||
  host === '::1' ||
  /^127\.\d+\.\d+\.\d+$/.test(host);

function check(host: string): void {
  if (isAllowed(host)) return;
  attempts.push(host);
  throw new Error(`A test tried to reach ${host}: tests may reach this machine only.`);
}

/** `net.connect()` hands its arguments on as one array; a Unix socket has a path and no host. */
function hostOf(target: readonly unknown[]): string | undefined {
  const [first, second]: readonly unknown[] = Array.isArray(target[0]) ? target[0] : target;
  if (typeof first === 'number') return typeof second === 'string' ? second : 'localhost';
  if (typeof first !== 'object' || first === null) return undefined;
  if ('path' in first && typeof first.path === 'string') return undefined;
  return 'host' in first && typeof first.host === 'string' ? first.host : 'localhost';
}

type Call = (this: unknown, ...args: unknown[]) => unknown;

/** Puts a check before a function that other modules find as a property of `owner`. */
function guard(owner: object, name: string, hostIn: (args: readonly unknown[]) => string | undefined): void {
  const original: unknown = Reflect.get(owner, name);
  if (typeof original !== 'function') throw new TypeError(`${name} is not a function`);
  const guarded: Call = function (...args) {
    const host = hostIn(args);
    if (host !== undefined) check(host);
    return Reflect.apply(original, this, args);
  };
  Reflect.set(owner, name, guarded);
}

/** The test files of a worker share Node's own modules: the first one installs, all see the same list. */
function install(): string[] {
  const nameIn = (args: readonly unknown[]): string | undefined =>
    typeof args[0] === 'string' ? args[0] : undefined;
  guard(Socket.prototype, 'connect', hostOf);
  guard(dns, 'lookup', nameIn);
  guard(dns.promises, 'lookup', nameIn);
  syncBuiltinESMExports();
  const list: string[] = [];
  Reflect.set(Socket.prototype, attemptsKey, list);
  return list;
}

const shared: unknown = Reflect.get(Socket.prototype, attemptsKey);
const attempts: unknown[] = Array.isArray(shared) ? shared : install();

afterEach(() => {
  expect(attempts.splice(0)).toEqual([]);
});

afterAll(endAll, 60_000);
