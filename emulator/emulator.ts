import { ApiAnswers } from './api/api-answers.js';
import { apiRoutes } from './api/api-routes.js';
import type { MiniProgramOptions, OfficialAccountOptions } from './apps/app-options.js';
import type { MiniProgram, OfficialAccount } from './apps/apps.js';
import { OpenPlatformAccount } from './apps/open-platform-account.js';
import { AppRegistry } from './apps/register-app.js';
import { CallLog, type Call } from './calls.js';
import { EmulatorClock } from './clock.js';
import { controlRoutes } from './control/control-routes.js';
import { FaultRegistry, type Fault } from './faults.js';
import { serverCertificate, type TlsOptions } from './http/certificates.js';
import type { Route } from './http/router.js';
import { EmulatorServer } from './http/server.js';
import { pageRoutes } from './pages/page-routes.js';
import type { Person } from './person.js';
import { phonePageRoutes } from './phone-page/phone-routes.js';
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
  /** Answers https on the same port too, under WeChat's own host names as well. Needs the package `@peculiar/x509`. */
  readonly tls?: TlsOptions;
  readonly randomness?: Randomness;
}

/** The base addresses that take the place of WeChat's three hosts. */
export interface EmulatorEndpoints {
  readonly api: string;
  readonly open: string;
  readonly mp: string;
}

/** One world with the routes into it; a reset puts another in its place. */
interface Stage {
  readonly platform: Platform;
  readonly population: Population;
  readonly routes: readonly Route[];
}

/** The WeChat platform on one port of this machine. */
export class WechatEmulator {
  /** The time that every expiry goes by. */
  readonly clock = new EmulatorClock();
  /** WeChat's disputed and rarer behaviours; change them at any moment. */
  readonly rules: EmulatorRules;
  readonly #options: EmulatorOptions;
  readonly #answers: ApiAnswers;
  readonly #server: EmulatorServer;
  readonly #faults = new FaultRegistry();
  readonly #calls = new CallLog();
  readonly #stopping = new AbortController();
  #stage: Stage;
  #port = 0;
  #certificateAuthority: string | null = null;

  private constructor(options: EmulatorOptions) {
    this.#options = options;
    this.rules = { ...defaultRules(), ...options.rules };
    this.#answers = new ApiAnswers(this.clock, options.randomness ?? systemRandomness);
    this.#stage = this.#build();
    this.#server = new EmulatorServer({
      routes: () => this.#stage.routes,
      faults: this.#faults,
      calls: this.#calls,
      clock: this.clock,
      asError: (path, errcode, errmsg) => this.#answers.errorAt(path, errcode, errmsg),
    });
  }

  /** Starts a platform with nobody on it. */
  static async start(options: EmulatorOptions = {}): Promise<WechatEmulator> {
    const emulator = new WechatEmulator(options);
    const { host = '127.0.0.1', port = 0, tls } = options;
    const certificate = tls === undefined ? undefined : await serverCertificate(tls);
    emulator.#certificateAuthority = certificate?.ca ?? null;
    emulator.#port = await emulator.#server.start(port, host, certificate);
    emulator.#stage.platform.complete(host, emulator.#port);
    return emulator;
  }

  /** Cuts all connections, gives up all deliveries, frees the port. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#server.stop();
  }

  get endpoints(): EmulatorEndpoints {
    const { origin } = this.#stage.platform;
    return { api: origin, open: origin, mp: origin };
  }

  /** What clients must trust to reach the emulator by https (PEM); null when it speaks http only. */
  get certificateAuthority(): string | null {
    return this.#certificateAuthority;
  }

  openPlatformAccount(): OpenPlatformAccount {
    const { platform } = this.#stage;
    return new OpenPlatformAccount(platform, platform.world.apps.openAccount());
  }

  /** An Official Account that is bound to no Open Platform account: its people have no unionid. */
  officialAccount(options: OfficialAccountOptions): OfficialAccount {
    return new AppRegistry(this.#stage.platform).officialAccount(options);
  }

  /** A mini program that is bound to no Open Platform account. */
  miniProgram(options: MiniProgramOptions = {}): MiniProgram {
    return new AppRegistry(this.#stage.platform).miniProgram(options);
  }

  /** Somebody new, with a phone. */
  person(options: PersonOptions): Person {
    return this.#stage.population.add(options);
  }

  people(): readonly Person[] {
    return this.#stage.population.all();
  }

  /** Opens WeChat's QR page on a PC, without a browser. */
  async showQrCode(authorizeUrl: string): Promise<QrScreen> {
    return QrScreen.open(this.#stage.platform.addressOf(new URL(authorizeUrl)));
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

  /** Starts over with an empty world, no faults, the rules of the start and the time of day. */
  reset(): void {
    this.#faults.clear();
    this.#calls.clear();
    this.clock.set(Date.now());
    Object.assign(this.rules, defaultRules(), this.#options.rules);
    this.#stage = this.#build();
    this.#stage.platform.complete(this.#options.host ?? '127.0.0.1', this.#port);
  }

  #build(): Stage {
    const { randomness = systemRandomness } = this.#options;
    const { seed = randomness.bytes(16).toString('hex') } = this.#options;
    const invariants = { clock: this.clock, rules: this.rules, randomness, seed };
    const platform = new Platform(invariants, this.#stopping.signal);
    const population = new Population(platform);
    const routes = [
      ...phonePageRoutes(platform, population),
      ...controlRoutes({
        platform,
        population,
        faults: this.#faults,
        calls: this.#calls,
        clock: this.clock,
        rules: this.rules,
        reset: () => this.reset(),
      }),
      ...pageRoutes(platform),
      ...apiRoutes(platform, this.#answers),
    ];
    return { platform, population, routes };
  }
}
