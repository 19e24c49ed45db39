import type { AppOptions, OfficialAccountOptions } from './apps/app-options.js';
import { ApiAnswers } from './api/api-answers.js';
import { snsRoutes } from './api/sns-api.js';
import { unknownPathRoutes } from './api/unknown-path.js';
import type { MiniProgram, OfficialAccount } from './apps/apps.js';
import { OpenPlatformAccount } from './apps/open-platform-account.js';
import { AppDesk } from './apps/register-app.js';
import { CallLog, type Call } from './calls.js';
import { EmulatorClock } from './clock.js';
import { FaultBook, type Fault } from './faults.js';
import { isLoopback } from './http/loopback.js';
import { EmulatorServer } from './http/server.js';
import { authorizeRoutes } from './pages/authorize-page.js';
import { identityRoutes } from './pages/phone-identity.js';
import { qrconnectRoutes } from './pages/qrconnect-routes.js';
import { Person } from './person.js';
import type { Platform } from './platform.js';
import { QrScreen } from './qr-screen.js';
import { defaultRules, type EmulatorRules } from './rules.js';
import { systemRandomness, type Randomness } from './world/randomness.js';
import { World } from './world/world.js';

/** How an emulator starts. */
export interface EmulatorOptions {
  /** @default 0, any free port */
  readonly port?: number;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** Openids, unionids, appids and secrets follow from it; give one to have the same after a restart. @default random */
  readonly seed?: string;
  readonly rules?: Partial<EmulatorRules>;
  readonly randomness?: Randomness;
}

/** The base addresses that take the place of WeChat's three hosts. */
export interface EmulatorEndpoints {
  readonly api: string;
  readonly open: string;
  readonly mp: string;
}

/** The WeChat platform on one port of this machine. */
export class WechatEmulator {
  readonly clock: EmulatorClock;
  readonly rules: EmulatorRules;
  readonly #world: World;
  readonly #server: EmulatorServer;
  readonly #faults = new FaultBook();
  readonly #calls = new CallLog();
  readonly #people = new Map<string, Person>();
  #origin = '';
  #port = 0;

  private constructor(options: EmulatorOptions) {
    const randomness = options.randomness ?? systemRandomness;
    this.clock = new EmulatorClock();
    this.rules = { ...defaultRules(), ...options.rules };
    const seed = options.seed ?? randomness.bytes(16).toString('hex');
    this.#world = new World({ clock: this.clock, rules: this.rules, randomness, seed });
    const answers = new ApiAnswers(this.clock, randomness);
    this.#server = new EmulatorServer({
      routes: [
        ...snsRoutes(this.#world, answers),
        ...qrconnectRoutes(this.#world, () => this.#origin),
        ...authorizeRoutes(this.#world),
        ...identityRoutes(),
        ...unknownPathRoutes(answers),
      ],
      faults: this.#faults,
      calls: this.#calls,
      clock: this.clock,
      asError: (path, errcode, errmsg) => answers.errorAt(path, errcode, errmsg),
    });
  }

  /** Starts a platform with nobody on it. */
  static async start(options: EmulatorOptions = {}): Promise<WechatEmulator> {
    const emulator = new WechatEmulator(options);
    const host = options.host ?? '127.0.0.1';
    emulator.#port = await emulator.#server.start(options.port ?? 0, host);
    const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    emulator.#origin = `http://${name.includes(':') ? `[${name}]` : name}:${emulator.#port}`;
    return emulator;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  get endpoints(): EmulatorEndpoints {
    return { api: this.#origin, open: this.#origin, mp: this.#origin };
  }

  openPlatformAccount(): OpenPlatformAccount {
    return new OpenPlatformAccount(this.#platform, this.#world.apps.openAccount());
  }

  /** An Official Account that is bound to no Open Platform account: its people have no unionid. */
  officialAccount(options: OfficialAccountOptions): OfficialAccount {
    return new AppDesk(this.#platform).officialAccount(options);
  }

  /** A mini program that is bound to no Open Platform account. */
  miniProgram(options: AppOptions = {}): MiniProgram {
    return new AppDesk(this.#platform).miniProgram(options);
  }

  /** Somebody new. With an `id` their openids are the same in every run with the same seed. */
  person(options: { readonly nickname: string; readonly avatar?: string; readonly id?: string }): Person {
    const { nickname, avatar = '', id } = options;
    const person = new Person(this.#platform, this.#world.people.add({ nickname, avatar, id }));
    this.#people.set(person.id, person);
    return person;
  }

  /** Opens WeChat's QR page on a PC, without a browser. */
  async showQrCode(authorizeUrl: string): Promise<QrScreen> {
    return QrScreen.open(authorizeUrl);
  }

  /** Spoils the next request to a path. */
  once(path: string, fault: Fault): void {
    this.#faults.once(path, fault);
  }

  /** Spoils every request to a path until `clearFaults`. */
  always(path: string, fault: Fault): void {
    this.#faults.always(path, fault);
  }

  clearFaults(): void {
    this.#faults.clear();
  }

  /** What reached the platform, oldest first; of one path, or all. */
  calls(path?: string): readonly Call[] {
    return this.#calls.to(path);
  }

  clearCalls(): void {
    this.#calls.clear();
  }

  get #platform(): Platform {
    const port = String(this.#port);
    const origin = this.#origin;
    const isOwn = (url: URL): boolean =>
      url.origin === origin || (isLoopback(url.hostname) && url.port === port);
    return { world: this.#world, origin, isOwn };
  }
}
