import { decodeJwt } from 'jose';
import type { Person } from '../../emulator/index.js';
import { AdminClient } from './admin.js';
import { cookiesOf, signInWithCookies } from './cookie-client.js';
import type { World } from './iam-app.js';
import { PcBrowser, type Reply } from './pc-browser.js';
import { rowsOf } from './rows.js';
import { signInOnPc, toTokens, type Tokens } from './sign-in.js';
import { refresh, revoke } from './signed-in.js';

/** What may befall a session. `age` counts generations back from the newest token known, `at` names the process. */
export type Step =
  | { readonly kind: 'refresh' | 'revoke' | 'signOut'; readonly age: number; readonly at: 0 | 1 }
  /** An administrator shuts out a user who was active, which ends every session. */
  | { readonly kind: 'shutOut'; readonly at: 0 | 1 }
  /** Only the user's status changes. */
  | { readonly kind: 'disable' | 'enable' }
  /** The grace of the parent token passes. */
  | { readonly kind: 'wait' };

/** How one kind of client refreshes and signs out. */
interface Client {
  refresh(url: string, tokens: Tokens): Promise<Reply>;
  signOut(url: string, tokens: Tokens): Promise<Reply>;
  tokensOf(reply: Reply): Tokens;
}

const bearer: Client = {
  refresh: (url, tokens) => refresh(url, tokens.refreshToken),
  signOut: (url, tokens) => revoke(url, tokens.accessToken),
  tokensOf: toTokens,
};

/** The site's own pages are at `origin`, whichever process they reach. */
const cookies = (origin: string): Client => {
  const send = (url: string, { accessToken, refreshToken }: Tokens, form: Record<string, string>) =>
    new PcBrowser().visit(url, {
      form: { client_id: 'shop', ...form },
      headers: { origin, cookie: `iam-access=${accessToken}; iam-refresh=${refreshToken}` },
    });
  return {
    refresh: (url, tokens) => send(`${url}/iam/token`, tokens, { grant_type: 'refresh_token' }),
    signOut: (url, tokens) => send(`${url}/iam/revoke`, tokens, {}),
    tokensOf: (reply) => {
      const [accessToken = '', refreshToken = ''] = cookiesOf(reply).map(({ value }) => value);
      return { accessToken, refreshToken };
    },
  };
};

/** One session, the tokens issued for it by generation, and how steps act on it. */
export class TokenFamily {
  private readonly tokens: Tokens[];

  private constructor(
    private readonly world: World,
    private readonly urls: readonly [string, string],
    private readonly client: Client,
    first: Tokens,
  ) {
    this.tokens = [first];
  }

  /** Signs in, as the bearer client `web` or the cookie client `shop`. */
  static async begin(
    world: World,
    other: string,
    { person, kind }: { readonly person: Person; readonly kind: 'bearer' | 'cookie' },
  ): Promise<TokenFamily> {
    await world.dataSource.query(`UPDATE iam.users SET status = 'active'`);
    const urls = [world.url, other] as const;
    if (kind === 'bearer') return new TokenFamily(world, urls, bearer, await signInOnPc(world, person));
    const client = cookies(world.url);
    const reply = await signInWithCookies(world, person, new PcBrowser());
    return new TokenFamily(world, urls, client, client.tokensOf(reply));
  }

  /** How many generations there are. */
  get size(): number {
    return this.tokens.length;
  }

  has(refreshToken: string): boolean {
    return this.tokens.some((each) => each.refreshToken === refreshToken);
  }

  /** The newest generation's refresh token. */
  get newest(): string {
    return this.of(0).refreshToken;
  }

  /** A new generation. */
  add(successor: Tokens): void {
    this.tokens.push(successor);
  }

  async row(): Promise<{ readonly generation: number; readonly isOver: boolean }> {
    const { sid } = decodeJwt(this.of(0).accessToken);
    const sql = 'SELECT generation, ended_at FROM iam.sessions WHERE id = $1';
    const [row = {}] = await rowsOf(this.world.dataSource, sql, [sid]);
    return { generation: Number(row['generation']), isOver: row['ended_at'] !== null };
  }

  /** The successor when a token was refreshed, null when it was refused, undefined for other steps. */
  async perform(step: Step): Promise<Tokens | null | undefined> {
    const { dataSource } = this.world;
    const { sub, sid } = decodeJwt(this.of(0).accessToken);
    switch (step.kind) {
      case 'refresh': {
        const reply = await this.client.refresh(this.urls[step.at], this.of(step.age));
        return reply.status === 200 ? this.client.tokensOf(reply) : null;
      }
      case 'revoke':
        await revoke(this.urls[step.at], this.of(step.age).refreshToken, { client_id: this.clientId });
        return undefined;
      case 'signOut':
        await this.client.signOut(this.urls[step.at], this.of(step.age));
        return undefined;
      case 'shutOut':
        await new AdminClient(this.urls[step.at]).post(`users/${String(sub)}/disable`);
        return undefined;
      case 'disable':
      case 'enable': {
        const status = step.kind === 'enable' ? 'active' : 'disabled';
        await dataSource.query('UPDATE iam.users SET status = $2 WHERE id = $1', [sub, status]);
        return undefined;
      }
      case 'wait':
        await dataSource.query(
          `UPDATE iam.sessions SET rotated_at = rotated_at - interval '11 seconds' WHERE id = $1`,
          [sid],
        );
        return undefined;
    }
  }

  private get clientId(): string {
    return this.client === bearer ? 'web' : 'shop';
  }

  private of(age: number): Tokens {
    const tokens = this.tokens[Math.max(0, this.tokens.length - 1 - age)];
    if (tokens === undefined) throw new Error('a family has at least one generation');
    return tokens;
  }
}
