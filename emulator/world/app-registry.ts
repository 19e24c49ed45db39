import type { AppState } from './app-state.js';

/** All apps of the world by appid (case-sensitive, as WeChat is). */
export class AppRegistry {
  readonly #apps = new Map<string, AppState>();
  readonly #accounts: string[] = [];

  add<State extends AppState>(app: State): State {
    if (this.#apps.has(app.appid)) throw new TypeError(`appid ${app.appid} is already taken`);
    this.#apps.set(app.appid, app);
    return app;
  }

  find(appid: string): AppState | undefined {
    return this.#apps.get(appid);
  }

  all(): readonly AppState[] {
    return [...this.#apps.values()];
  }

  /** A new Open Platform account: one unionid space. */
  openAccount(): string {
    const id = `open-${this.#accounts.length + 1}`;
    this.#accounts.push(id);
    return id;
  }

  accounts(): readonly string[] {
    return this.#accounts;
  }
}
