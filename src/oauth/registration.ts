import { Injectable, type OnModuleInit, type Type } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { z } from 'zod';
import { IamError, type IamErrorCode } from '../errors/iam.error.js';
import type { IamRequest } from '../http/iam-request.js';
import type { IamResponse } from '../http/iam-response.js';
import type { Language, Browser } from '../http/user-agent.js';
import { parseInput } from '../http/parameter.decorators.js';
import type { IdentityProvider } from '../identity-providers/identity-provider.js';
import type { ServiceTokenClaims } from '../sessions/access-tokens.service.js';
import type { TokenBounds } from '../sessions/session-statements.js';
import type { RefreshedSession } from '../sessions/sessions.service.js';
import type { ActingSession } from '../sessions/user-sessions.service.js';
import type { Attempt } from '../sign-in/attempt-cookies.service.js';
import type { BegunSession } from '../sign-in/redemption.service.js';
import type { Subject } from '../users/subject.js';
import type { WechatApp } from '../wechat/wechat-call.js';
import { clientParameters, type ProvenClient } from './clients/client-authentication.service.js';
import { parseOAuthInput, resourceParameter } from './request-parameters.js';

/** The classes that a decorator has registered, with what it says of them; known before there is an application. */
class Registrations<D, T> {
  private readonly classes = new Map<Type<T>, D>();

  add(type: Type<T>, declaration: D): void {
    this.classes.set(type, declaration);
  }

  list(): D[] {
    return [...this.classes.values()];
  }

  /** Those that are providers of this application. */
  find(discovery: DiscoveryService): { readonly declaration: D; readonly instance: T }[] {
    const providers = discovery.getProviders().map(({ instance }): unknown => instance);
    return [...this.classes].flatMap(([type, declaration]) => {
      const instance = providers.find((provider): provider is T => provider instanceof type);
      return instance === undefined ? [] : [{ declaration, instance }];
    });
  }
}

/** An attempt whose method is chosen and whose cookie is on its way to the browser. */
export interface StartedAttempt {
  readonly attempt: Attempt;
  readonly provider: IdentityProvider;
  readonly language: Language;
}

/** A way to sign in, or to link an identity, that a browser begins at `/authorize`. */
export interface SignInMethod {
  /** The app of the row that people sign in to by this method. */
  appOf(provider: IdentityProvider): WechatApp | null;
  /** Whether this is what `auto` means for a browser at this row. The User-Agent routes; it protects nothing. */
  isOffered(provider: IdentityProvider, browser: Browser): boolean;
  /** Why the row does not allow it, to a start with or without a confirmed scan before it. */
  problemOf(provider: IdentityProvider, hasFollowed: boolean): IamErrorCode | null;
  /** Where the browser goes: to WeChat, or to a page of ours that finds the attempt by its state. */
  location(started: StartedAttempt): string;
  /** Responds to `/authorize` in place of a redirect to `location`. */
  page?(started: StartedAttempt): IamResponse;
  /** For `display=widget`: the options of WeChat's `new WxLogin({…})`, or the state by which `/follow` gives a QR code. */
  widget?(started: StartedAttempt): Readonly<Record<string, string | number>>;
  /** The proof by which an Open Platform step follows a login of this method; one method of the module has it. */
  readonly openStep?: OpenStepProof;
}

/** What `follow_proof` proves, and how the callback of the Open Platform takes it. */
export interface OpenStepProof {
  /** The login that a proof names; undefined where the row has no such step. @throws IamError `follow_required` */
  check(
    proof: string,
    start: {
      readonly provider: IdentityProvider;
      readonly clientId: string;
      readonly cookies: IamRequest['cookies'];
    },
  ): Promise<string | undefined>;
  /** Takes the proof, once, for the person whom the Open Platform proved. @throws IamError `follow_required` */
  consume(
    step: { readonly loginId: string; readonly link: ActingSession | undefined },
    provider: IdentityProvider,
    subject: Subject,
  ): Promise<void>;
}

const methods = new Registrations<string, SignInMethod>();

/** Registers a provider as the method with this name, which `method` of `/authorize` and of the attempt then may have. */
export const SignInMethod = (name: string) => (target: Type<SignInMethod>) => methods.add(target, name);

/** The name of a registered method. */
export const methodName = z.lazy(() => z.enum(methods.list()));

/** The parameter `method` of a start. */
export const methodParameter = z.lazy(() => z.enum(['auto', ...methods.list()])).default('auto');

/** What a browser may use of a provider; `recommended` is null exactly when `problem` says why. */
interface MethodOffer {
  readonly methods: readonly string[];
  readonly recommended: string | null;
  readonly problem: IamErrorCode | null;
}

/** The registered methods of signing in. */
@Injectable()
export class SignInMethods implements OnModuleInit {
  private registered: ReadonlyMap<string, SignInMethod> = new Map();

  constructor(private readonly discovery: DiscoveryService) {}

  onModuleInit(): void {
    const found = methods.find(this.discovery);
    this.registered = new Map(found.map(({ declaration, instance }) => [declaration, instance]));
  }

  get(name: string): SignInMethod {
    const method = this.registered.get(name);
    if (method === undefined) throw new IamError('method_unavailable', `no method "${name}"`);
    return method;
  }

  /** What `auto` gives a browser. */
  offer(provider: IdentityProvider, browser: Browser): MethodOffer {
    const offered = [...this.registered].filter(([, method]) => method.isOffered(provider, browser));
    const problems = offered.map(([, method]) => method.problemOf(provider, false));
    const usable = offered.filter((_, index) => problems[index] === null).map(([name]) => name);
    const [recommended = null] = usable;
    const problem = recommended === null ? (problems[0] ?? 'browser_unsupported') : null;
    return { methods: usable, recommended, problem };
  }

  /**
   * The method for a start: the recommended one for `auto`, else the requested one, if the row allows it at all.
   * @throws IamError with the problem
   */
  choose(
    provider: IdentityProvider,
    browser: Browser,
    { method, hasFollowed }: { readonly method: string; readonly hasFollowed: boolean },
  ): string {
    const { recommended, problem } =
      method === 'auto'
        ? this.offer(provider, browser)
        : { recommended: method, problem: this.get(method).problemOf(provider, hasFollowed) };
    if (problem !== null) throw new IamError(problem, `provider "${provider.slug}", method ${method}`);
    return recommended ?? method;
  }

  /** The proof of the method that leads on to the Open Platform. @throws IamError `follow_required` without one */
  openStep(): OpenStepProof {
    const proof = [...this.registered.values()].find(({ openStep }) => openStep !== undefined)?.openStep;
    if (proof === undefined)
      throw new IamError('follow_required', 'no method of this application gives a proof');
    return proof;
  }
}

/** The sender of a token request. */
export interface GrantCaller {
  readonly client: ProvenClient;
  readonly request: IamRequest;
  /** The session of a browser, which a new one of a cookie client replaces. */
  readonly replaces: string | null;
  readonly bounds: TokenBounds;
}

/** For whom a grant gives tokens: for a person, whose session has begun or continues, or for a service, which has none. */
export type Granted = BegunSession | RefreshedSession | ServiceTokenClaims;

/** A grant of `POST /token`. Client, duplicate parameters and the origin of a cookie client have been checked before. */
export interface TokenGrant<P = Readonly<Record<string, unknown>>> {
  redeem(parameters: P, caller: GrantCaller): Promise<Granted>;
}

/** What a grant declares of itself. */
interface GrantDeclaration<S extends z.ZodRawShape> {
  /** The `grant_type`. */
  readonly type: string;
  /** Its parameters beyond `grant_type` and `client_id`. */
  readonly parameters: S;
  /** The error codes that no other grant responds with. */
  readonly errors?: readonly IamErrorCode[];
}

const grantType = z.object({ grant_type: z.string().min(1) });

const grants = new Registrations<
  { readonly type: string; readonly body: GrantBody; readonly errors: readonly IamErrorCode[] },
  TokenGrant
>();
type GrantBody = z.ZodObject<typeof commonParameters & { readonly grant_type: z.ZodLiteral<string> }>;

/** What every grant takes. */
const commonParameters = { ...clientParameters, resource: resourceParameter };

/** Registers a provider as a grant of `POST /token`, its metadata and its description. */
export const TokenGrant =
  <S extends z.ZodRawShape>({ type, parameters, errors = [] }: GrantDeclaration<S>) =>
  (target: Type<TokenGrant<z.infer<z.ZodObject<S>>>>): void => {
    const body = z.object({ grant_type: z.literal(type), ...commonParameters, ...parameters });
    grants.add(target, { type, body, errors });
  };

/** The body of `POST /token`, by `grant_type`. */
export const tokenBody = z.lazy(() => {
  const byType = grants.list().sort((left, right) => left.type.localeCompare(right.type));
  const [first, ...others] = byType.map(({ body }) => body);
  if (first === undefined) throw new TypeError('no grant is registered');
  return z.discriminatedUnion('grant_type', [first, ...others]);
});

/** The error codes that registered grants add to those of `POST /token`. */
export const grantErrors = (): IamErrorCode[] => grants.list().flatMap(({ errors }) => errors);

/** A token request of a grant that we have. */
export interface GrantRequest {
  readonly type: string;
  /** The slug of the provider, where the grant has one as a parameter. */
  readonly provider: string | undefined;
  /** What it names as `resource`. */
  readonly resources: readonly string[] | undefined;
  readonly redeem: (caller: GrantCaller) => Promise<Granted>;
}

/** The table of grants behind `POST /token`. */
@Injectable()
export class TokenGrants implements OnModuleInit {
  private registered: ReturnType<typeof grants.find> = [];

  constructor(private readonly discovery: DiscoveryService) {}

  onModuleInit(): void {
    this.registered = grants.find(this.discovery);
  }

  /** As the metadata names them. */
  types(): string[] {
    return this.registered.map(({ declaration }) => declaration.type).sort();
  }

  /** @throws IamError `invalid_request` or `unsupported_grant_type` (RFC 6749 §5.2) */
  read(body: unknown): GrantRequest {
    const { grant_type: type } = parseOAuthInput(grantType, body);
    const found = this.registered.find(({ declaration }) => declaration.type === type);
    if (found === undefined) throw new IamError('unsupported_grant_type', 'not a grant of ours');
    const parameters = parseInput(found.declaration.body, body);
    return {
      type,
      provider: providerOf(parameters),
      resources: parameters.resource,
      redeem: (caller) => found.instance.redeem(parameters, caller),
    };
  }
}

function providerOf(parameters: object): string | undefined {
  return 'provider' in parameters && typeof parameters.provider === 'string'
    ? parameters.provider
    : undefined;
}
