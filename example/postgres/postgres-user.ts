import { execFileSync, spawnSync } from 'node:child_process';
import { dirname } from 'node:path';

/** An operating system user under whom PostgreSQL can run. */
export interface PostgresUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const numericId = (flag: '-u' | '-g', name: string): number =>
  Number.parseInt(
    execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' }),
    10,
  );

const findUser = (name: string): PostgresUser | undefined => {
  try {
    return { name, uid: numericId('-u', name), gid: numericId('-g', name) };
  } catch {
    return undefined;
  }
};

/** PostgreSQL refuses to run as root: then it runs as `postgres` or, where there is no such user, as `nobody`; otherwise as ourselves (undefined). */
export function findPostgresUser(): PostgresUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return findUser('postgres') ?? findUser('nobody') ?? { name: 'nobody', uid: 65534, gid: 65534 };
}

/** The spawn options that make a child run as the user. */
export function runAs(user: PostgresUser | undefined): { uid?: number; gid?: number } {
  return user ? { uid: user.uid, gid: user.gid } : {};
}

/** True when the user can enter the folder: asked of the system itself, because mode bits alone do not know about ACLs. */
export function canEnter(folder: string, user: PostgresUser | undefined): boolean {
  if (!user) return true;
  const script = 'cd "$1"';
  return (
    spawnSync('/bin/sh', ['-c', script, 'sh', folder], { ...runAs(user), cwd: '/', stdio: 'ignore' })
      .status === 0
  );
}

/** The outermost folder on the way to `folder` that the user cannot enter, for an error message a person can act on. */
export function findBarrier(folder: string, user: PostgresUser | undefined): string {
  const parent = dirname(folder);
  return parent === folder || canEnter(parent, user) ? folder : findBarrier(parent, user);
}
