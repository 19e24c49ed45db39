import { Readable } from 'node:stream';
import type { Fault } from '../faults.js';
import type { Answer } from './exchange.js';

/** True when the fault takes the answer's place, so that the request itself need not happen. */
export function replacesAnswer(fault: Fault): boolean {
  return (
    fault.errcode !== undefined ||
    fault.status !== undefined ||
    fault.body !== undefined ||
    fault.drop !== undefined
  );
}

/** What is sent in place of any answer: WeChat's error, a gateway's page, or given bytes. */
export function replacement(fault: Fault, asError: (errcode: number, errmsg?: string) => Answer): Answer {
  if (fault.errcode !== undefined) return asError(fault.errcode, fault.errmsg);
  const status = fault.status ?? 200;
  const body =
    fault.body ?? `<html><head><title>${status}</title></head><body><h1>${status}</h1></body></html>`;
  const contentType = fault.contentType ?? (fault.body === undefined ? 'text/html' : 'text/plain');
  return { status, headers: { 'content-type': contentType }, body };
}

/** The answer with fields of its JSON changed or removed. An answer that is no JSON object stays as it is. */
export function patched(answer: Answer, fault: Fault): Answer {
  if (fault.patch === undefined && fault.remove === undefined && fault.rawControls === undefined)
    return answer;
  const fields = parseObject(answer.body);
  if (!fields) return answer;
  const kept = Object.entries({ ...fields, ...fault.patch }).filter(([key]) => !fault.remove?.includes(key));
  const body = JSON.stringify(Object.fromEntries(kept));
  return { ...answer, body: fault.rawControls ? withRawControls(body) : body };
}

function parseObject(body: Answer['body']): object | undefined {
  if (body instanceof Readable) return undefined;
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function withRawControls(json: string): string {
  return json.replace(/\\u00([01][0-9a-f])/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
