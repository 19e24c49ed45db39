import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { LocalPostgres } from '../../example/postgres/local-postgres.js';
import { freePort } from '../../example/postgres/free-port.js';
import { startWorld, type World } from '../support/iam-app.js';
import type { Reply } from '../support/pc-browser.js';
import { rowsOf, valueOf } from '../support/rows.js';
import { approveOnPc, redeem, type ApprovedOnPc } from '../support/sign-in.js';
import { refresh } from '../support/signed-in.js';
import { until } from '../support/until.js';

const minutes = 60_000;

/** A server of the test's own. */
class CrashingServer {
  private stoppedWriter: number | undefined;

  private constructor(
    private readonly parent: string,
    private readonly port: number,
    private server: LocalPostgres,
  ) {}

  static async start(): Promise<CrashingServer> {
    const parent = await mkdtemp(join(tmpdir(), 'crashing-'));
    const port = await freePort();
    const server = await LocalPostgres.start({ dataDir: join(parent, 'data'), port });
    const crashing = new CrashingServer(parent, port, server);
    await crashing.run('ALTER SYSTEM SET autovacuum = off');
    await crashing.run('SELECT pg_reload_conf()');
    return crashing;
  }

  url(): string {
    return this.server.url();
  }

  private async run(sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.url() });
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(sql);
    await client.end();
    return rows;
  }

  /** From here to the crash the log reaches the disk only with a commit that waits for it. The writer holds no lock then. */
  async stopWriter(): Promise<void> {
    const read = `SELECT pid, wait_event FROM pg_stat_activity WHERE backend_type = 'walwriter'`;
    await until('a log writer that has nothing to do', async () => {
      const [before] = await this.run(read);
      const writer = Number(before?.['pid']);
      process.kill(writer, 'SIGSTOP');
      const [after] = await this.run(read);
      if (after?.['wait_event'] === 'WalWriterMain') this.stoppedWriter = writer;
      else process.kill(writer, 'SIGCONT');
      return this.stoppedWriter !== undefined;
    });
  }

  /** SIGKILL to the postmaster: its children follow, and what is in its memory alone is gone. */
  async crash(): Promise<void> {
    await this.server.crash();
    // One that stands still does not see that the others are gone, and would keep the memory that the next start needs.
    if (this.stoppedWriter !== undefined) process.kill(this.stoppedWriter, 'SIGKILL');
    this.stoppedWriter = undefined;
    this.server = await LocalPostgres.start({ dataDir: join(this.parent, 'data'), port: this.port });
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.parent, { recursive: true });
  }
}

describe('PostgreSQL is killed with -9 and starts again', () => {
  let server: CrashingServer;
  let world: World;
  const shared = process.env['IAM_TEST_POSTGRES_URL'];

  beforeAll(async () => {
    server = await CrashingServer.start();
    process.env['IAM_TEST_POSTGRES_URL'] = server.url();
    world = await startWorld({
      options: { rateLimits: 'off', tokens: { refreshGrace: 60 } },
    });
  }, minutes);
  afterAll(async () => {
    await world.close();
    if (shared !== undefined) process.env['IAM_TEST_POSTGRES_URL'] = shared;
    await server.stop();
  });

  const approve = () => approveOnPc(world, world.wechat.person({ nickname: '断电' }));
  const visit = ({ browser, callback }: ApprovedOnPc) => browser.visit(callback);
  const codeIn = (reply: Reply | undefined) => reply?.location?.searchParams.get('code') ?? null;
  const count = (table: string) => valueOf(world.dataSource, `SELECT count(*)::int FROM iam.${table}`);
  const ready = () =>
    until('a server that answers', async () => (await count('logins').catch(() => null)) !== null);

  it(
    'while WeChat is asked: the claim is lost, its code signs nobody in, and a new one does',
    async () => {
      const approved = await approve();
      await server.stopWriter();
      let answer: (() => void) | undefined;
      const isUp = new Promise<void>((resolve) => (answer = resolve));
      world.wechat.once('/sns/oauth2/access_token', { afterConsuming: true, until: isUp });
      const returning = visit(approved);
      await until('the claim', async () => (await count('logins')) === 1);

      await server.crash();
      await ready();
      const left = await count('logins');
      answer?.();
      const replies = [await returning, await visit(approved), await visit(approved)];
      const redeemed = await Promise.all(
        replies.map((returned) => redeem(world.url, { ...approved, returned })),
      );
      const next = await approve();
      const tokens = await redeem(world.url, { ...next, returned: await visit(next) });

      expect(left).toBe(0);
      expect(redeemed.map(({ status }) => status)).toEqual([400, 400, 400]);
      expect(tokens.status).toBe(200);
      expect(await count('sessions')).toBe(1);
    },
    minutes,
  );

  it(
    'under load: everybody who got tokens has their session, and no code has signed in twice',
    async () => {
      const people = await Promise.all(Array.from({ length: 60 }, approve));
      const redeemOnce = async (approved: ApprovedOnPc): Promise<Reply | null> => {
        const returned = await visit(approved).catch(() => undefined);
        if (returned === undefined || codeIn(returned) === null) return null;
        return redeem(world.url, { ...approved, returned }).catch(() => null);
      };
      let answered = 0;
      const signingIn = people.map(async (approved, index) => {
        await delay(index * 20);
        const reply = await redeemOnce(approved);
        if (reply?.status === 200) answered += 1;
        return { approved, reply };
      });

      await until('some who have their tokens', () => answered > 10);
      await server.crash();
      const first = await Promise.all(signingIn);
      await ready();
      const acknowledged = first.flatMap(({ reply }) => (reply?.status === 200 ? [reply] : []));
      const refreshed = await Promise.all(
        acknowledged.map((reply) => refresh(world.url, String(reply.json()['refresh_token']))),
      );
      await Promise.all(people.map(redeemOnce));
      const signedInTwice = await rowsOf(
        world.dataSource,
        'SELECT user_id FROM iam.sessions GROUP BY user_id HAVING count(*) > 1',
      );

      expect(acknowledged.length).toBeGreaterThan(10);
      expect(refreshed.map(({ status }) => status)).toEqual(acknowledged.map(() => 200));
      expect(signedInTwice).toEqual([]);
    },
    minutes,
  );

  it('has every other commit wait for the disk, on each connection of the pool', async () => {
    const settings = await Promise.all(
      Array.from({ length: 20 }, () => valueOf(world.dataSource, 'SHOW synchronous_commit')),
    );

    expect(new Set(settings)).toEqual(new Set(['on']));
  });
});
