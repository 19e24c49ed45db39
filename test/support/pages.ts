import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import type { World } from './iam-app.js';

const axeFile = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

const findings = z.array(
  z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string(), failureSummary: z.string() })) }),
);

/** What axe finds on a page, its frames left out; an empty list is what a page should have. */
export async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(axeFile, 'utf8'));
  const violations: unknown = await page.evaluate(
    'axe.run(document, { iframes: false }).then(({ violations }) => violations)',
  );
  return findings
    .parse(violations)
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
}

const codes = z.object({ qrCodes: z.array(z.object({ kind: z.string(), content: z.string() })) });

/** What the QR code says that WeChat has shown last on a page of its own (`login`), or made last for an Official Account (`scene`). */
export async function newestQrCode(
  { wechat }: Pick<World, 'wechat'>,
  wanted: 'login' | 'scene' = 'login',
): Promise<string> {
  const response = await fetch(`${wechat.endpoints.open}/_emulator/qr-codes`);
  const newest = codes.parse(await response.json()).qrCodes.find(({ kind }) => kind === wanted);
  if (newest === undefined) throw new Error('WeChat has shown no QR code');
  return newest.content;
}
