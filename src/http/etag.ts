import { IamError } from '../errors/iam.error.js';

/** A version as an `ETag` (RFC 9110 §8.8.3). */
export function toEtag(version: string): string {
  return `"${version}"`;
}

/**
 * The version that a change is based on, from `If-Match`; null for `*`, which means "whatever it is now".
 * @throws IamError `precondition_required` (RFC 6585 §3), or `precondition_failed` for an ETag that is not ours
 */
export function readIfMatch(header: string | undefined): string | null {
  if (header === undefined) throw new IamError('precondition_required', 'no If-Match');
  if (header.trim() === '*') return null;
  const [, version] = /^"([0-9a-f]{32})"$/.exec(header.trim()) ?? [];
  if (version === undefined) throw new IamError('precondition_failed', 'If-Match is not an ETag of ours');
  return version;
}

/** Refuses a change of a row that has changed since. @throws IamError `precondition_failed` */
export function requireVersion(row: { readonly version: string }, expected: string | null): void {
  if (expected !== null && row.version !== expected)
    throw new IamError('precondition_failed', 'changed since it was read');
}
