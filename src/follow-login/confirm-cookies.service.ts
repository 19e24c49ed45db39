import { Inject, Injectable } from '@nestjs/common';
import { serialize } from 'cookie';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { Sealer, SealError } from '../crypto/sealer.js';
import { sha256 } from '../crypto/hash.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';

type Cookies = Readonly<Record<string, string | undefined>>;

const MAX_AGE_SECONDS = 600;
/** Journeys under way besides the newest; more taps on the link drop the oldest. */
const MAX_EARLIER = 3;

/** A phone on its way through Official Account OAuth. */
const journeySchema = z.object({
  loginId: z.string(),
  state: z.string(),
  appid: z.string(),
  until: z.number(),
});
/** A phone whose openid WeChat has proved for this login. */
const proofSchema = z.object({ loginId: z.string(), openid: z.string(), until: z.number() });

/** A browser in which the code of this login was typed, and what has come of it. */
const deviceSchema = z.object({
  loginId: z.string(),
  /** The PKCE verifier of the sign-in that the page starts. */
  verifier: z.string(),
  /** The login by which somebody has signed in there. */
  signInId: z.string().optional(),
  decision: z.enum(['confirm', 'deny']).optional(),
  until: z.number(),
});

/** See `deviceSchema`. */
export type DeviceVisit = Omit<z.infer<typeof deviceSchema>, 'until'>;
/** See `journeySchema`. */
export type ConfirmJourney = z.infer<typeof journeySchema>;
/** See `proofSchema`. */
export type ConfirmProof = z.infer<typeof proofSchema>;

/** The sealed cookies of the pages that agree for another device: two of the confirm page, one of the device page. */
@Injectable()
export class ConfirmCookies {
  private readonly sealer: Sealer;
  private readonly prefix: string;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly clock: Clock,
  ) {
    this.sealer = new Sealer(options.keyRing, 'login-confirm');
    this.prefix = options.isHttps ? '__Host-iam-' : 'iam-';
  }

  /** The cookie of a new journey, which drops all but the last few before it. */
  startJourney(journey: Omit<ConfirmJourney, 'until'>, present: Cookies): string[] {
    const name = this.journeyName(journey.state);
    const started = this.write(name, { ...journey, until: this.until() }, `journey/${journey.state}`);
    const earlier = Object.keys(present).filter((each) => each.startsWith(`${this.prefix}way-`));
    return [started, ...earlier.slice(0, -MAX_EARLIER).map((each) => this.clear(each))];
  }

  findJourney(state: string, cookies: Cookies): ConfirmJourney | null {
    return this.read(journeySchema, cookies[this.journeyName(state)], `journey/${state}`);
  }

  prove(proof: Omit<ConfirmProof, 'until'>): string {
    return this.write(
      this.proofName(proof.loginId),
      { ...proof, until: this.until() },
      `proof/${proof.loginId}`,
    );
  }

  findProof(loginId: string, cookies: Cookies): ConfirmProof | null {
    return this.read(proofSchema, cookies[this.proofName(loginId)], `proof/${loginId}`);
  }

  keepDevice(visit: DeviceVisit): string {
    const { loginId } = visit;
    return this.write(this.deviceName(loginId), { ...visit, until: this.until() }, `device/${loginId}`);
  }

  findDevice(loginId: string, cookies: Cookies): DeviceVisit | null {
    return this.read(deviceSchema, cookies[this.deviceName(loginId)], `device/${loginId}`);
  }

  private clear(name: string): string {
    return serialize(name, '', {
      httpOnly: true,
      secure: this.options.isHttps,
      sameSite: 'lax',
      path: '/',
      maxAge: 0,
    });
  }

  private until(): number {
    return this.clock.now() + MAX_AGE_SECONDS * 1000;
  }

  private journeyName(state: string): string {
    return `${this.prefix}way-${sha256(state).slice(0, 16)}`;
  }

  private proofName(loginId: string): string {
    return `${this.prefix}proof-${sha256(loginId).slice(0, 16)}`;
  }

  private deviceName(loginId: string): string {
    return `${this.prefix}device-${sha256(loginId).slice(0, 16)}`;
  }

  private write(name: string, content: object, context: string): string {
    const sealed = this.sealer.seal(JSON.stringify(content), context);
    const { isHttps } = this.options;
    return serialize(name, sealed, {
      httpOnly: true,
      secure: isHttps,
      sameSite: 'lax',
      path: '/',
      maxAge: MAX_AGE_SECONDS,
    });
  }

  private read<T extends { readonly until: number }>(
    schema: z.ZodType<T>,
    sealed: string | undefined,
    context: string,
  ): T | null {
    if (sealed === undefined) return null;
    try {
      const json: unknown = JSON.parse(this.sealer.open(sealed, context));
      const content = schema.parse(json);
      return content.until > this.clock.now() ? content : null;
    } catch (error) {
      if (error instanceof SealError || error instanceof z.ZodError || error instanceof SyntaxError)
        return null;
      throw error;
    }
  }
}
