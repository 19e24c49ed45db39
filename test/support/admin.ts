import { randomUUID } from 'node:crypto';
import type { Person } from '../../emulator/index.js';
import { RolePermissions } from '../../src/roles/role-permissions.service.js';
import type { World } from './iam-app.js';
import { PcBrowser, type Reply } from './pc-browser.js';
import { onPc, type SignedIn } from './signed-in.js';

/** The admin token of tests: give `adminOptions` to `startWorld({ options })`. */
export const adminToken = 'the-admin-token-of-the-tests-0123456789';

/** Options that open the admin API to `adminToken`. */
export const adminOptions = { admin: { token: adminToken } } as const;

/** What came back from the admin API. */
export interface AdminReply extends Reply {
  /** The `ETag` header; empty when there is none. */
  readonly etag: string;
  /** `code` of problem+json; undefined for a success. */
  readonly code: unknown;
  /** The page's rows. */
  items(): Record<string, unknown>[];
}

/** What else a request carries. */
export interface AdminRequest {
  readonly body?: unknown;
  /** Becomes `If-Match`. */
  readonly etag?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls `/iam/admin/…` of one host with one bearer token; null sends none. */
export class AdminClient {
  constructor(
    private readonly base: string,
    private readonly token: string | null = adminToken,
  ) {}

  /** `path` is what follows `/iam/admin/`. */
  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<AdminReply> {
    return this.request('GET', path, { headers });
  }

  post(path: string, body?: unknown, etag?: string): Promise<AdminReply> {
    return this.request('POST', path, { body, ...(etag !== undefined && { etag }) });
  }

  /** With `If-Match: *` unless told. */
  patch(path: string, body: unknown, etag = '*'): Promise<AdminReply> {
    return this.request('PATCH', path, { body, etag });
  }

  /** With `If-Match: *` unless told. */
  delete(path: string, etag = '*'): Promise<AdminReply> {
    return this.request('DELETE', path, { etag });
  }

  async request(
    method: string,
    path: string,
    { body, etag, headers }: AdminRequest = {},
  ): Promise<AdminReply> {
    const reply = await new PcBrowser().visit(`${this.base}/iam/admin/${path}`, {
      method,
      ...(body !== undefined && { body }),
      headers: {
        accept: 'application/json',
        ...(this.token !== null && { authorization: `Bearer ${this.token}` }),
        ...(etag !== undefined && { 'if-match': etag }),
        ...headers,
      },
    });
    return {
      ...reply,
      etag: reply.headers.get('etag') ?? '',
      code: reply.text.startsWith('{') ? reply.json()['code'] : undefined,
      items: () => itemsOf(reply),
    };
  }
}

/** A fresh person who is signed in and holds roles that exist already. */
export async function signedInWithRoles(
  world: World,
  roles: readonly string[],
  person: Person = world.wechat.person({ nickname: '管' }),
): Promise<SignedIn> {
  const { id } = await onPc(world, person);
  for (const role of roles)
    await world.dataSource.query(
      'INSERT INTO iam.user_roles (user_id, role) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [id, role],
    );
  return onPc(world, person);
}

/** A fresh person who is signed in and holds exactly these permissions, by a role of its own. */
export async function signedInWithPermissions(
  world: World,
  permissions: readonly string[],
): Promise<SignedIn> {
  const role = `role-${randomUUID()}`;
  await world.dataSource.query('INSERT INTO iam.roles (name, permissions) VALUES ($1, $2)', [
    role,
    permissions,
  ]);
  world.app.get(RolePermissions).forget();
  return signedInWithRoles(world, [role]);
}

/** The admin API as such a person calls it. */
export async function adminWithPermissions(
  world: World,
  ...permissions: readonly string[]
): Promise<AdminClient> {
  return new AdminClient(world.url, (await signedInWithPermissions(world, permissions)).accessToken);
}

function itemsOf(reply: Reply): Record<string, unknown>[] {
  const { items } = reply.json();
  if (!Array.isArray(items)) throw new Error(`no page: ${reply.text}`);
  return items.map((item: unknown) => ({ ...(item as Record<string, unknown>) }));
}
