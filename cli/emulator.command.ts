import { parseArgs } from 'node:util';
import { WechatEmulator } from '../emulator/index.js';
import { UsageError, type Command } from './command.js';

const help = `Usage: nestjs-wechat-iam emulator [--port N] [--host H]

Starts the WeChat platform emulator alone and prints its address on one line.
Its phone is at /phone, its control API under /_emulator/.

  --port N   port to listen on, 0 for a free one (default 3001)
  --host H   address to listen on (default 127.0.0.1)

It stops on SIGINT and SIGTERM.`;

function parse(args: readonly string[]): { port: number; host: string } {
  const { port, host } = readOptions(args);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new UsageError(`--port ${port}: expected 0 to 65535`);
  return { port: Number(port), host };
}

function readOptions(args: readonly string[]): { port: string; host: string } {
  const string = { type: 'string' } as const;
  const options = { port: { ...string, default: '3001' }, host: { ...string, default: '127.0.0.1' } };
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

const stopSignal = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });

/** The emulator for people and programs that do not embed it. */
export const emulatorCommand: Command = {
  name: 'emulator',
  summary: 'start the WeChat platform emulator alone',
  help,
  async run(args) {
    const stopped = stopSignal();
    const emulator = await WechatEmulator.start(parse(args));
    console.log(`emulator ${emulator.endpoints.open}`);
    await stopped;
    await emulator.stop();
  },
};
