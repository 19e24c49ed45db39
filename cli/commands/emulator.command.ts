import { rulesSchema, strictRules, WechatEmulator, type EmulatorRules } from '../../emulator/index.js';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { Arguments } from '../arguments.js';
import type { Command } from '../command.js';
import { DEMO_SEED, describeDemoWorld, makeDemoWorld } from '../demo-world.js';
import { CommandError, UsageError } from '../errors.js';

/** The emulator for people and programs that do not embed it. */
export const emulatorCommand: Command = {
  name: 'emulator',
  description: `Starts the WeChat platform emulator alone and prints its address on one line. Its phone is at /phone, its control
API under /_emulator/. Its world is empty, unless --demo fills it and says what to do next. It stops on SIGINT and SIGTERM.`,
  parameters: [],
  options: {
    port: { value: 'N', summary: 'port to listen on, 0 for a free one (default 3001)' },
    host: { value: 'HOST', summary: 'address to listen on (default 127.0.0.1)' },
    demo: { summary: 'starts with apps and people, the same at every start, and prints the next steps' },
    app: { value: 'URL', summary: 'your application, for --demo (default http://localhost:3000)' },
    tls: {
      summary: `speaks https too, with certificates for WeChat's own hosts (needs the package @peculiar/x509)`,
    },
    'tls-directory': {
      value: 'DIR',
      summary: 'where the certificate authority is kept; clients trust its ca.pem (default .wechat-emulator)',
    },
    strict: {
      summary: 'enforces what any WeChat client or document asks for, as tests of an application want it',
    },
    rule: {
      value: 'NAME=VALUE',
      summary: 'changes one rule, e.g. authorizeOrder=everywhere (GET /_emulator/rules names them)',
      repeated: true,
    },
  },
  variables: [],
  example: `npx nestjs-wechat-iam emulator --demo
npx nestjs-wechat-iam emulator --port 3001`,
  async run({ arguments: given, print }) {
    const appUrl = appOf(given);
    const stopped = stopSignal();
    const emulator = await startEmulator({
      port: portOf(given),
      host: given.value('host') ?? '127.0.0.1',
      ...(given.has('demo') ? { seed: DEMO_SEED } : {}),
      ...(given.has('tls') ? { tls: { directory: directoryOf(given) } } : {}),
      rules: { ...(given.has('strict') ? strictRules : {}), ...rulesOf(given) },
    });
    const { endpoints } = emulator;
    const ca = given.has('tls') ? join(directoryOf(given), 'ca.pem') : null;
    const demo = given.has('demo') ? makeDemoWorld(emulator, appUrl) : null;
    const address = `emulator ${endpoints.open}${ca === null ? '' : `, by https too: trust ${ca}`}`;
    await print({
      json: { url: endpoints.open, endpoints, certificateAuthority: ca, ...(demo !== null && { demo }) },
      text: demo === null ? address : `${address}\n${describeDemoWorld(demo)}`,
    });
    await stopped;
    await emulator.stop();
    return null;
  },
};

type EmulatorOptions = NonNullable<Parameters<typeof WechatEmulator.start>[0]>;

function startEmulator(options: EmulatorOptions): Promise<WechatEmulator> {
  return WechatEmulator.start(options).catch((cause: unknown) => {
    if (!isPortTaken(cause)) throw cause;
    const message = `Another program listens on port ${options.port ?? 0}, perhaps another emulator: end it, or choose a port with --port N (0 for a free one)`;
    throw new CommandError('port_in_use', message, { cause });
  });
}

function isPortTaken(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'EADDRINUSE';
}

function portOf(given: Arguments): number {
  const port = given.value('port') ?? '3001';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new UsageError('--port: expected 0 to 65535');
  return Number(port);
}

/** Without a slash at its end. */
function appOf(given: Arguments): string {
  const text = given.value('app') ?? 'http://localhost:3000';
  if (given.value('app') !== undefined && !given.has('demo'))
    throw new UsageError('--app: goes with --demo alone');
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol) || new URL(text).pathname !== '/')
    throw new UsageError('--app: expected the address of your application, such as http://localhost:3000');
  return new URL(text).origin;
}

function directoryOf(given: Arguments): string {
  return resolve(given.value('tls-directory') ?? '.wechat-emulator');
}

/** A value is text unless it reads as a number or a switch. */
function rulesOf(given: Arguments): Partial<EmulatorRules> {
  const pairs = given.values('rule').map((text): readonly [string, unknown] => {
    const [name = '', ...value] = text.split('=');
    return [name, plainValue(value.join('='))];
  });
  const rules = rulesSchema.safeParse(Object.fromEntries(pairs));
  if (!rules.success) throw new UsageError(`--rule: ${z.prettifyError(rules.error)}`);
  return Object.fromEntries(Object.entries(rules.data).filter(([, value]) => value !== undefined));
}

function plainValue(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d+$/.test(text) ? Number(text) : text;
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
