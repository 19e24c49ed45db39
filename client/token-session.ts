import { IamClientError, isPassing, type Json } from './error.js';

/** What `/token` gave; a cookie client sees no token, only when it ends. */
export interface Tokens {
  readonly access?: string;
  readonly refresh?: string;
  /** The ID token, where `openid` was asked for. */
  readonly id?: string;
  /** By the clock of this device, in milliseconds. */
  readonly expiresAt: number;
}

/** Whether a value from storage is what a store has written. */
export function isTokens(stored: unknown): stored is Tokens {
  return typeof stored === 'object' && stored !== null && 'expiresAt' in stored;
}

/** Where tokens are kept; the last call wins. */
export interface TokenStore {
  read(): Tokens | null;
  write(tokens: Tokens | null): void;
}

/** What a session needs of the place where it runs. */
export interface SessionPort {
  /** True: the tokens are in cookies, which go along by themselves. */
  readonly hasCookies: boolean;
  readonly store: TokenStore;
  post(path: 'token' | 'revoke', fields: Grant): Promise<Json>;
  /** Runs `work` when no other tab is in the middle of its own. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  /** A person has come in or gone. */
  changed(isSignedIn: boolean): void;
}

/** The fields of a request to `/token`. */
export type Grant = Readonly<Record<string, string>>;

/** A token that ends sooner may end on its way. */
const MARGIN_MS = 5_000;
const PAUSE_MS = 1_000;

/** The tokens of one front-end: begun by a grant, refreshed once for all who wait, ended once. */
export class TokenSession {
  private renewal: Promise<void> | undefined;
  private held: Grant | null = null;

  constructor(private readonly port: SessionPort) {}

  /** Exchanges a grant; one that is answered `binding_required` is kept in memory for `resume`. */
  async redeem(
    grant: Grant,
    post: (grant: Grant) => Promise<Json> = (sent) => this.token(sent),
  ): Promise<void> {
    try {
      this.keep(await post(grant));
      this.held = null;
    } catch (error) {
      if (error instanceof IamClientError && error.code === 'binding_required') this.held = grant;
      throw error;
    }
    this.port.changed(true);
  }

  /** As `redeem`; a lost response is asked for again, once: the server gives the same one for a while. */
  redeemAgain(grant: Grant): Promise<void> {
    return this.redeem(grant, (sent) => this.tokenAgain(sent));
  }

  /** Ends a sign-in that waited for an account, once the host has connected one. */
  async resume(): Promise<void> {
    if (this.held === null) throw new IamClientError('state_mismatch');
    await this.redeemAgain(this.held);
  }

  /** The tokens, refreshed if they are about to end; null when nobody is signed in. */
  async current(): Promise<Tokens | null> {
    const tokens = this.port.store.read();
    if (tokens !== null && tokens.expiresAt < Date.now() + MARGIN_MS) await this.renew(tokens);
    return this.port.store.read();
  }

  /**
   * Takes the place of tokens that were refused; those who call at once share one request. A session that is over is forgotten; on
   * any other failure the refresh token stays, and the server's grace lets it be sent again.
   */
  renew(spent = this.port.store.read()): Promise<void> {
    this.renewal ??= this.port
      .exclusive(() => this.renewUnlessDone(spent))
      .finally(() => (this.renewal = undefined));
    return this.renewal;
  }

  /** Signs out here at once, and then at the server; of cookies, when the server has deleted them. */
  async end(): Promise<void> {
    const { hasCookies, store } = this.port;
    const refresh = store.read()?.refresh;
    if (!hasCookies) this.forget();
    if (refresh === undefined && !hasCookies) return;
    await this.port.exclusive(async () => {
      await this.port.post('revoke', refresh === undefined ? {} : { token: refresh });
      // Not before: those who are told would still find the person there.
      if (hasCookies) this.forget();
    });
  }

  /** What tells two states apart that follow one another. */
  private async renewUnlessDone(spent: Tokens | null): Promise<void> {
    const { store, hasCookies } = this.port;
    const isDone = () => store.read()?.expiresAt !== spent?.expiresAt;
    if (isDone() || (!hasCookies && spent?.refresh === undefined)) return;
    const token: Grant = spent?.refresh === undefined ? {} : { refresh_token: spent.refresh };
    try {
      const body = await this.tokenAgain({ grant_type: 'refresh_token', ...token });
      if (!isDone()) this.keep(body);
    } catch (error) {
      if (!(error instanceof IamClientError) || error.details['error'] !== 'invalid_grant') throw error;
      if (!isDone()) this.forget();
    }
  }

  private token(grant: Grant): Promise<Json> {
    return this.port.post('token', grant);
  }

  private async tokenAgain(grant: Grant): Promise<Json> {
    try {
      return await this.token(grant);
    } catch (error) {
      if (!isPassing(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      return this.token(grant);
    }
  }

  private keep({
    access_token: access,
    refresh_token: refresh,
    id_token: id,
    expires_in: seconds,
  }: Json): void {
    const { hasCookies, store } = this.port;
    store.write({
      ...(typeof access === 'string' && { access }),
      ...(typeof refresh === 'string' && { refresh }),
      // Of a client with cookies nothing that names a person is left in a storage.
      ...(typeof id === 'string' && !hasCookies && { id }),
      expiresAt: Date.now() + Number(seconds) * 1_000,
    });
  }

  private forget(): void {
    const wasSignedIn = this.port.hasCookies || this.port.store.read() !== null;
    this.held = null;
    this.port.store.write(null);
    if (wasSignedIn) this.port.changed(false);
  }
}
