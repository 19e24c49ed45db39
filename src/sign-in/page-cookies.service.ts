import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Clock } from '../runtime/clock.js';
import { Mac } from '../crypto/key-ring.js';
import { Sealer } from '../crypto/sealer.js';
import { sha256 } from '../crypto/hash.js';
import { IamError } from '../errors/iam.error.js';
import type { IamRequest } from '../http/iam-request.js';
import { cookieName, setCookie } from '../http/iam-response.js';
import { MAX_BYTES_TOGETHER } from './attempt-cookies.service.js';
import { MAX_COOKIE_BYTES } from '../sessions/session-cookies.service.js';
import { subjectSchema } from '../users/subject.js';
import { isOwnForm } from '../http/trusted-origins.service.js';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../config/iam.resolved-options.js';

type Cookies = IamRequest['cookies'];

/** How long a person may think about a question of our pages: as long as its cookie lives. */
export const THINK_SECONDS = 600;
/** Cookies of a kind beside the newest; more taps on the link, or more logins, drop the oldest. */
const MAX_EARLIER = 3;

/** What every kind holds: when it ends, in milliseconds since the epoch. */
const ending = z.object({ until: z.number() });
/** And which login it is about. */
const dated = ending.extend({ loginId: z.string() });

/** A kind of cookie: its part of the name, what its seal is bound to, and what it holds, until when. */
interface Kind<T extends z.infer<typeof ending>> {
  readonly name: string;
  readonly context: string;
  readonly content: z.ZodType<T>;
  /** The longest that a later `keep` adds: the first one refuses what would have no room for it. */
  readonly later?: object;
}

/** A phone on its way through Official Account OAuth to a login that is scanned already; by its `state`. */
export const roundTrip = { name: 'way', context: 'journey', content: dated.extend({ state: z.string() }) };

/** The same to claim the login whose QR code has this scene. */
export const scanTrip = {
  name: 'scan',
  context: 'scan-journey',
  content: ending.extend({ state: z.string(), scene: z.string() }),
};

/** A phone whose openid WeChat has proved for a login; by the login. */
export const scannerProof = {
  name: 'proof',
  context: 'proof',
  content: dated.extend({
    openid: z.string(),
    /** What else the way that proved it has learned of the person; their agreement stores it. */
    subject: subjectSchema.optional(),
  }),
};

/** See `scannerProof`. */
export type ScannerProof = Omit<z.infer<typeof scannerProof.content>, 'until'>;

/** A browser in which the code of a login was typed, and what has come of it; by the login. */
export const deviceVisit = {
  name: 'device',
  context: 'device',
  content: dated.extend({
    /** The PKCE verifier of the sign-in that the page starts. */
    verifier: z.string(),
    /** The login of the sign-in on that page. */
    signInId: z.string().optional(),
    decision: z.enum(['confirm', 'deny']).optional(),
  }),
};

/** See `deviceVisit`. */
export type DeviceVisit = Omit<z.infer<typeof deviceVisit.content>, 'until'>;

/** A browser that has signed a person in to an application, which asks for their consent; by the login. */
export const consentVisit = {
  name: 'grant',
  context: 'grant',
  content: dated.extend({
    clientId: z.string(),
    redirectUri: z.string(),
    clientState: z.string().optional(),
    /** Also where the person agreed before. */
    asksAgain: z.boolean(),
    decision: z.enum(['confirm', 'deny']).optional(),
  }),
  later: { decision: 'confirm' },
};

/** See `consentVisit`. */
export type ConsentVisit = Omit<z.infer<typeof consentVisit.content>, 'until'>;

/** The person to whom a page shows a form. */
type Visitor = ScannerProof | DeviceVisit | ConsentVisit;

/** The sealed cookies of the pages on which people decide, for another device or an application, and the forms that are bound to them. */
@Injectable()
export class PageCookies {
  private readonly sealer: Sealer;
  private readonly csrf: Mac;
  private readonly prefix: string;

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    private readonly clock: Clock,
  ) {
    this.sealer = new Sealer(options.keyRing, 'login-confirm');
    this.csrf = new Mac(options.keyRing, 'page-csrf');
    this.prefix = cookieName('iam-', options);
  }

  /**
   * `Set-Cookie` values that keep `content` and drop the oldest of too many or too long ones of its kind. `key` is the state or login that
   * the kind goes by. @throws IamError `invalid_request` when what the client sent makes the cookie too long
   */
  keep<T extends z.infer<typeof ending>>(
    kind: Kind<T>,
    content: Omit<T, 'until'>,
    { key, present }: { readonly key: string; readonly present: Cookies },
  ): string[] {
    const name = this.nameOf(kind.name, key);
    const until = this.clock.now() + THINK_SECONDS * 1000;
    const write = (held: object) =>
      this.write(
        name,
        this.sealer.seal(JSON.stringify({ ...held, until }), `${kind.context}/${key}`),
        THINK_SECONDS,
      );
    const kept = write(content);
    const longest = kind.later === undefined ? kept : write({ ...content, ...kind.later });
    if (longest.length > MAX_COOKIE_BYTES)
      throw new IamError('invalid_request', 'state: too long for a cookie');
    let bytes = kept.length;
    // Browsers send older cookies first (RFC 6265 §5.4).
    const surplus = Object.entries(present)
      .filter(([each]) => each.startsWith(`${this.prefix}${kind.name}-`) && each !== name)
      .reverse()
      .filter(([each, value], index) => {
        bytes += `${each}${String(value)}`.length;
        return index >= MAX_EARLIER || bytes > MAX_BYTES_TOGETHER;
      });
    return [kept, ...surplus.map(([each]) => this.write(each, '', 0))];
  }

  /** What this browser was given for `key`, as long as it lasts. */
  find<T extends z.infer<typeof ending>>(kind: Kind<T>, key: string, present: Cookies): T | null {
    const sealed = present[this.nameOf(kind.name, key)];
    if (sealed === undefined) return null;
    const content = this.sealer.openJson(sealed, `${kind.context}/${key}`, kind.content);
    return content !== null && content.until > this.clock.now() ? content : null;
  }

  /** The hidden field `csrf` of a visitor's form. */
  csrfOf(visitor: Visitor): string {
    return this.csrf.sign(personOf(visitor));
  }

  /** The visitor, unless another site, or our page for another person, has sent the form. @throws IamError `origin_forbidden` */
  requireOwnForm<T extends Visitor>(visitor: T | null, csrf: string, request: IamRequest): T {
    this.requireOwnSite(request);
    if (visitor === null || !this.csrf.verify(personOf(visitor), csrf))
      throw new IamError('origin_forbidden', 'not the form of this visitor');
    return visitor;
  }

  /** For a form before there is a visitor. @throws IamError `origin_forbidden` */
  requireOwnSite(request: IamRequest): void {
    if (!isOwnForm(request, this.options))
      throw new IamError('origin_forbidden', 'not sent from a page of ours');
  }

  private nameOf(kind: string, key: string): string {
    return `${this.prefix}${kind}-${sha256(key).slice(0, 16)}`;
  }

  private write(name: string, value: string, maxAge: number): string {
    return setCookie({ name, value, maxAge }, this.options);
  }
}

/** A form is bound to the scanner, or to the person who has signed in: an older form may show another person. */
function personOf(visitor: Visitor): string {
  const { loginId } = visitor;
  if ('openid' in visitor) return `phone/${loginId}/${visitor.openid}`;
  return 'verifier' in visitor ? `page/${loginId}/${visitor.signInId ?? ''}` : `consent/${loginId}`;
}
