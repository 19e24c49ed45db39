import type { IdentityProviderInput } from 'nestjs-wechat-iam';
import { claimPort } from '../run/claim-port.js';
import type { Environment } from '../run/environment.js';
import type { DemoLinks } from './demo-links.js';
import { phoneLinks, startEmulatedWechat } from './emulated-wechat.js';

/** The WeChat of this run. */
export interface OpenedWechat {
  readonly endpoints: NonNullable<Environment['wechat']>;
  readonly phone: DemoLinks['phone'];
  close(): Promise<void>;
}

/** Takes the hosts that the environment names, or starts the emulator with the apps of the rows. */
export async function openWechat(
  { wechat, emulatorPort }: Environment,
  publicUrl: string,
  rows: readonly IdentityProviderInput[],
): Promise<OpenedWechat> {
  if (wechat !== undefined) return { endpoints: wechat, phone: null, close: () => Promise.resolve() };
  const port = await claimPort('EMULATOR_PORT', emulatorPort);
  const emulator = await startEmulatedWechat(port, publicUrl, rows);
  return {
    endpoints: emulator.endpoints,
    phone: phoneLinks(emulator, publicUrl),
    close: () => emulator.stop(),
  };
}
