import { currentLanguage } from '../language.js';
import { withBearer } from './credentials.js';

/** What the API refused: problem+json, and the permission that the request needs. `status` is 0 without an answer. */
export class Problem extends Error {
  constructor(status, body, permission) {
    super(body.title ?? body.code ?? 'offline');
    this.status = status;
    this.body = body;
    this.permission = permission;
  }
}

/** Calls `/iam/admin/{path}`; resolves to `{ body, etag }`. @throws Problem */
export async function call(method, path, { body, etag, query = {} } = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  const response = await withBearer(`/iam/admin/${path}${search.size > 0 ? `?${search}` : ''}`, {
    method,
    headers: {
      accept: 'application/json',
      'accept-language': currentLanguage(),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(etag !== undefined && { 'if-match': etag }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => null);
  const permission = permissionOf(method, path);
  if (response === null) throw new Problem(0, {}, permission);
  const text = await response.text();
  const answer = text.startsWith('{') ? JSON.parse(text) : {};
  if (!response.ok) throw new Problem(response.status, answer, permission);
  return { body: answer, etag: response.headers.get('etag') };
}

/** A path of the API; segments may hold anything. */
export const path = (...segments) => segments.map(encodeURIComponent).join('/');

/** The API does not name what is missing; its description at /docs does, and it follows this rule. */
function permissionOf(method, of) {
  const [noun, , verb] = of.split('/');
  const subject = noun === 'permissions' ? 'roles' : verb === 'sessions' ? 'sessions' : noun;
  return `iam:${subject}:${method === 'GET' || verb === 'check' ? 'read' : 'write'}`;
}
