import type { Platform } from '../platform.js';
import type { AppState } from '../world/app-state.js';

/** Something with an appid and a secret on the WeChat platform. */
export abstract class PlatformApp<State extends AppState = AppState> {
  /** The app's settings as the consoles show them; change them at any moment. */
  readonly settings: State;
  protected readonly platform: Platform;

  constructor(platform: Platform, settings: State) {
    this.platform = platform;
    this.settings = settings;
  }

  get appid(): string {
    return this.settings.appid;
  }

  get secret(): string {
    return this.settings.secret;
  }

  get name(): string {
    return this.settings.name;
  }

  /** The raw id (`gh_…`) under which the app appears in messages. */
  get originalId(): string {
    return this.settings.originalId;
  }
}
