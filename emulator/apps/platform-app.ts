import type { Platform } from '../platform.js';
import type { Delivery } from '../push/delivery.js';
import { verifyServer, type HandshakeResult } from '../push/handshake.js';
import type { PushFields } from '../push/push-fields.js';
import { pushRaw, type RawPushOptions, type RawPushResult } from '../push/raw-push.js';
import type { AppState, ServerSettings } from '../world/app-state.js';

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

  /** Every push to this app's server, with its attempts and what came of it. */
  get deliveries(): readonly Delivery[] {
    return this.platform.pushes.of(this.appid);
  }

  /** Changes the server configuration from now on: URL, Token, EncodingAESKey, mode, format. */
  configureServer(changes: Partial<ServerSettings>): void {
    Object.assign(this.settings.server, changes);
  }

  /** Presses Submit in the console: asks the server URL to prove that it knows the Token. */
  async verifyServer(): Promise<HandshakeResult> {
    return verifyServer(this.platform.world, this.settings.server);
  }

  /** Sends a push of the test's own making, once and without re-delivery: forged, repeated, out of time. */
  async push(fields: PushFields, options: RawPushOptions = {}): Promise<readonly RawPushResult[]> {
    return pushRaw(this.platform, this.settings, fields, options);
  }
}
