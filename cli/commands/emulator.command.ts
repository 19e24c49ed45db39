import { WechatEmulator } from '../../emulator/index.js';
import type { Arguments } from '../arguments.js';
import type { Command } from '../command.js';
import { UsageError } from '../errors.js';

/** The emulator for people and programs that do not embed it. */
export const emulatorCommand: Command = {
  name: 'emulator',
  description: `Starts the WeChat platform emulator alone and prints its address on one line. Its phone is at /phone, its control
API under /_emulator/. It stops on SIGINT and SIGTERM.`,
  parameters: [],
  options: {
    port: { value: 'N', summary: 'port to listen on, 0 for a free one (default 3001)' },
    host: { value: 'HOST', summary: 'address to listen on (default 127.0.0.1)' },
  },
  variables: [],
  example: 'npx nestjs-wechat-iam emulator --port 3001',
  async run({ arguments: given, print }) {
    const stopped = stopSignal();
    const emulator = await WechatEmulator.start({
      port: portOf(given),
      host: given.value('host') ?? '127.0.0.1',
    });
    const { endpoints } = emulator;
    await print({ json: { url: endpoints.open, endpoints }, text: `emulator ${endpoints.open}` });
    await stopped;
    await emulator.stop();
    return null;
  },
};

function portOf(given: Arguments): number {
  const port = given.value('port') ?? '3001';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new UsageError('--port: expected 0 to 65535');
  return Number(port);
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
