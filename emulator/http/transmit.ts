import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../faults.js';
import type { Answer } from './exchange.js';

/** Sends the answer, as broken as the fault wants it. */
export async function transmit(
  response: ServerResponse,
  answer: Answer,
  fault: Fault,
  signal: AbortSignal,
): Promise<void> {
  if (fault.drop) {
    reset(response);
    return;
  }
  if (answer.body instanceof Readable) {
    await pass(response, answer, answer.body);
    return;
  }
  const body = Buffer.from(answer.body);
  response.writeHead(answer.status, {
    ...answer.headers,
    'content-length': fault.contentLength ?? body.length,
  });
  if (fault.truncate !== undefined) {
    truncate(response, body.subarray(0, fault.truncate));
    return;
  }
  if (fault.drip !== undefined) await drip(response, body, { pause: fault.drip, signal });
  else response.write(body);
  response.end();
  if (fault.contentLength !== undefined) response.socket?.end();
}

async function pass(response: ServerResponse, { status, headers }: Answer, body: Readable): Promise<void> {
  response.writeHead(status, { ...headers });
  response.flushHeaders();
  await pipeline(body, response).catch(() => undefined);
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

function truncate(response: ServerResponse, part: Buffer): void {
  response.flushHeaders();
  response.write(part, () => setImmediate(() => reset(response)));
}

async function drip(
  response: ServerResponse,
  body: Buffer,
  { pause, signal }: { pause: number; signal: AbortSignal },
): Promise<void> {
  for (const byte of body) {
    if (signal.aborted) return;
    response.write(Buffer.of(byte));
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}
