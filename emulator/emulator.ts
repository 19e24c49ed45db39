import { ApiAnswers } from './api/api-answers.js';
import { apiRoutes } from './api/api-routes.js';
import type { AppOptions, OfficialAccountOptions } from './apps/app-options.js';
import type { MiniProgram, OfficialAccount } from './apps/apps.js';
import { OpenPlatformAccount } from './apps/open-platform-account.js';
import { AppDesk } from './apps/register-app.js';
import { CallLog, type Call } from './calls.js';
import { EmulatorClock } from './clock.js';
import { FaultBook, type Fault } from './faults.js';
import { EmulatorServer } from './http/server.js';
import { authorizeRoutes } from './pages/authorize-page.js';
import { identityRoutes } from './pages/phone-identity.js';
import { qrconnectRoutes } from './pages/qrconnect-routes.js';
import type { Person } from './person.js';
import { Platform } from './platform.js';
import { Population, type PersonOptions } from './population.js';
import { QrScreen } from './qr-screen.js';
import { defaultRules, type EmulatorRules } from './rules.js';
import { systemRandomness, type Randomness } from './world/randomness.js';

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
  /** The time that every expiry goes by. */
  readonly clock = new EmulatorClock();
  /** WeChat's disputed and rarer behaviours; change them at any moment. */
  readonly rules: EmulatorRules;
  readonly #platform: Platform;
  readonly #population: Population;
  readonly #server: EmulatorServer;
  readonly #faults = new FaultBook();
  readonly #calls = new CallLog();
  readonly #stopping = new AbortController();

  private constructor(options: EmulatorOptions) {
    const { randomness = systemRandomness } = options;
    const { seed = randomness.bytes(16).toString('hex') } = options;
    this.rules = { ...defaultRules(), ...options.rules };
    const laws = { clock: this.clock, rules: this.rules, randomness, seed };
    this.#platform = new Platform(laws, this.#stopping.signal);
    this.#population = new Population(this.#platform);
    this.#server = this.#build(new ApiAnswers(this.clock, randomness));
  }

  /** Starts a platform with nobody on it. */
  static async start(options: EmulatorOptions = {}): Promise<WechatEmulator> {
    const emulator = new WechatEmulator(options);
    const { host = '127.0.0.1', port = 0 } = options;
    emulator.#platform.settle(host, await emulator.#server.start(port, host));
    return emulator;
  }

  /** Cuts all connections, gives up all deliveries, frees the port. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#server.stop();
  }

  get endpoints(): EmulatorEndpoints {
    const { origin } = this.#platform;
    return { api: origin, open: origin, mp: origin };
  }

  openPlatformAccount(): OpenPlatformAccount {
    return new OpenPlatformAccount(this.#platform, this.#platform.world.apps.openAccount());
  }

  /** An Official Account that is bound to no Open Platform account: its people have no unionid. */
  officialAccount(options: OfficialAccountOptions): OfficialAccount {
    return new AppDesk(this.#platform).officialAccount(options);
  }

  /** A mini program that is bound to no Open Platform account. */
  miniProgram(options: AppOptions = {}): MiniProgram {
    return new AppDesk(this.#platform).miniProgram(options);
  }

  /** Somebody new, with a phone. */
  person(options: PersonOptions): Person {
    return this.#population.add(options);
  }

  people(): readonly Person[] {
    return this.#population.all();
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

  #build(answers: ApiAnswers): EmulatorServer {
    const platform = this.#platform;
    return new EmulatorServer({
      routes: [
        ...apiRoutes(platform.world, answers),
        ...qrconnectRoutes(platform.world, () => platform.origin),
        ...authorizeRoutes(platform.world),
        ...identityRoutes(),
      ],
      faults: this.#faults,
      calls: this.#calls,
      clock: this.clock,
      asError: (path, errcode, errmsg) => answers.errorAt(path, errcode, errmsg),
    });
  }
}
