import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import {
  IAM_OPTIONS,
  type ResolvedIamClient,
  type ResolvedIamOptions,
} from '../config/iam.resolved-options.js';
import { sha256 } from '../crypto/hash.js';
import { quotableName } from '../errors/unknown.js';
import type { ErrorPageSite } from './error-page.js';

/** The algorithms (RFC 7518) by which ID tokens and access tokens are signed. */
export const signingAlgorithms = ['RS256', 'ES256'] as const;

/** See `signingAlgorithms`. */
export type SigningAlgorithm = (typeof signingAlgorithms)[number];

/** An application that signs people in: of the option `clients`, of a module of ours, or a row of `iam.clients`. */
export interface Client extends ResolvedIamClient {
  readonly name: string;
  readonly source: 'code' | 'database';
  readonly logoUri: string | null;
  readonly clientUri: string | null;
  readonly isEnabled: boolean;
  /** `confidential`: a server that proves itself by a secret or key. `service`: a machine; people do not sign in to it. */
  readonly type: 'public' | 'confidential' | 'service';
  /** False: of another company, which gets only what people agree to. */
  readonly isFirstParty: boolean;
  readonly postLogoutRedirectUris: readonly string[];
  readonly backchannelLogoutUri: string | null;
  /** The `grant_type`s that it may use; null: every one. */
  readonly grants: readonly string[] | null;
  /** The scopes that it may ask for; null: every one. */
  readonly scopes: readonly string[] | null;
  /** The resources that its access tokens may be for. */
  readonly resources: readonly string[];
  /** Slugs of the provider rows through which people may come to it; empty: all. */
  readonly providers: readonly string[];
  /** Whether a person who is signed in in the browser comes in without WeChat being asked again. */
  readonly hasSso: boolean;
  /** SHA-256 of its secrets, of which each works. */
  readonly secretHashes: readonly string[];
  /** The public keys for `private_key_jwt`, or where they are. */
  readonly jwks: Readonly<Record<string, unknown>> | null;
  readonly jwksUri: string | null;
  /** What the tokens of a `service` may do. */
  readonly roles: readonly string[];
  readonly subjectType: 'public' | 'pairwise';
  readonly sectorIdentifierUri: string | null;
  readonly idTokenAlgorithm: SigningAlgorithm;
  readonly accessTokenAlgorithm: SigningAlgorithm;
  /** Since when a row has its id: what began before belongs to an earlier application with that id. */
  readonly since: Date | null;
}

/** What follows from all clients together. */
interface ClientsAtOnce {
  readonly byId: ReadonlyMap<string, Client>;
  /** The first-party ones. */
  readonly ownById: ReadonlyMap<string, Client>;
  /** Those that share the session of a browser. */
  readonly cookieClientIds: readonly string[];
  /** Origins of scripts that may call the endpoints, and whether with cookies. */
  readonly origins: ReadonlyMap<string, boolean>;
  /** Those of first-party clients, whose pages may be trusted with what a browser sends by itself. */
  readonly ownOrigins: ReadonlySet<string>;
}

/**
 * Every client, in memory, so that CORS, cookies and guards ask without waiting. `StoredClients` keeps the rows of the
 * database up to date in it.
 */
@Injectable()
export class ClientRegistry {
  private readonly ofCode = new Map<string, Client>();
  private stored: readonly Client[] = [];
  private readDue: () => Promise<void> | null = () => null;
  private current: ClientsAtOnce;

  constructor(@Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions) {
    for (const client of options.clients.values()) this.ofCode.set(client.id, ofCode(client));
    this.current = this.combine();
  }

  /** Those that people may sign in to now, and all that follows from them. */
  get enabled(): ClientsAtOnce {
    return this.current;
  }

  /** Those that share the session of a browser, also the disabled: it ends like any other. */
  get knownCookieClientIds(): readonly string[] {
    return [...this.ofCode.values(), ...this.stored]
      .filter(({ tokens }) => tokens === 'cookie')
      .map(({ id }) => id);
  }

  /** For pages with a way back to where a sign-in begins: by the name of this site, so never at a third party. */
  get site(): ErrorPageSite {
    const { publicUrl, siteName } = this.options;
    return { publicUrl, siteName, clients: this.current.ownById };
  }

  /** Also one that is disabled. */
  find(id: string): Client | undefined {
    return this.ofCode.get(id) ?? this.stored.find((client) => client.id === id);
  }

  /** What people are told of where they sign in, safe in sentences of ours; null for a part of this site that has no name of its own. */
  nameOf(id: string): string | null {
    const client = this.find(id);
    if (client === undefined) return null;
    const { name, isFirstParty } = client;
    if (isFirstParty && (name === id || name === this.options.siteName)) return null;
    return quotableName(name) ?? quotableName(id);
  }

  /** Whether an application wants to be told of sign-outs. */
  get hasBackchannel(): boolean {
    return this.stored.some(({ backchannelLogoutUri }) => backchannelLogoutUri !== null);
  }

  /** The enabled service that still proves itself by what its token names; see `credentialOf`. */
  findService(id: string, credential: string): Client | undefined {
    const client = this.current.byId.get(id);
    return client?.type === 'service' && credentialsOf(client).includes(credential) ? client : undefined;
  }

  /** Those of the code. */
  listOfCode(): Client[] {
    return [...this.ofCode.values()];
  }

  /** Adds the client of a module of ours, while the application starts. @throws TypeError that names the host's client with its id */
  register(client: ResolvedIamClient): void {
    if (this.ofCode.has(client.id))
      throw new TypeError(`IamModule option \`clients\`: expected no client "${client.id}"`);
    this.ofCode.set(client.id, ofCode(client));
    this.current = this.combine();
  }

  /** Has `readDue` called where no loop reads the rows: null while what is known is fresh enough. */
  readBy(readDue: () => Promise<void> | null): void {
    this.readDue = readDue;
  }

  /** For every request before it is looked at; see `readBy`. */
  freshen(): Promise<void> | null {
    return this.readDue();
  }

  /** Takes the rows of the database as they are now. One whose id the code has too counts for nothing; returns those ids. */
  replaceStored(clients: readonly Client[]): string[] {
    this.stored = clients.filter(({ id }) => !this.ofCode.has(id));
    this.current = this.combine();
    return clients.filter(({ id }) => this.ofCode.has(id)).map(({ id }) => id);
  }

  private combine(): ClientsAtOnce {
    const enabled = [...this.ofCode.values(), ...this.stored].filter(({ isEnabled }) => isEnabled);
    const origins = new Map<string, boolean>();
    for (const { origins: named, tokens } of enabled)
      for (const origin of named) origins.set(origin, tokens === 'cookie' || origins.get(origin) === true);
    const own = enabled.filter(({ isFirstParty }) => isFirstParty);
    return {
      byId: new Map(enabled.map((client) => [client.id, client])),
      ownById: new Map(own.map((client) => [client.id, client])),
      cookieClientIds: enabled.filter(({ tokens }) => tokens === 'cookie').map(({ id }) => id),
      origins,
      ownOrigins: new Set(own.flatMap((client) => client.origins)),
    };
  }
}

/**
 * Names what a client proves itself by, in its tokens. Another secret or key has another name, and so has an application that gets the
 * id later.
 */
export function credentialOf({ since }: Client, proof: string): string {
  return sha256(`${since?.toISOString() ?? ''} ${proof}`).slice(0, 16);
}

/** `credentialOf` all that a client can prove itself by now. */
function credentialsOf(client: Client): string[] {
  const { secretHashes, jwks, jwksUri } = client;
  const keys = jwks === null ? [] : (keySet.safeParse(jwks).data?.keys ?? []).map(proofOfKey);
  const addresses = jwksUri === null ? [] : [proofOfAddress(jwksUri)];
  return [...secretHashes, ...keys, ...addresses].map((proof) => credentialOf(client, proof));
}

const keySet = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });

/** The proof by one key: what it consists of (RFC 7638 §3.2). Another key under the same `kid` is another proof. */
export function proofOfKey({ kty, crv, x, y, n, e }: Readonly<Record<string, unknown>>): string {
  return JSON.stringify([kty, crv, x, y, n, e]);
}

/** The proof by any key at an address, where its owner changes them without us. */
export function proofOfAddress(uri: string): string {
  return JSON.stringify(uri);
}

/** A client of the code is first-party and public. */
function ofCode(client: ResolvedIamClient): Client {
  return {
    ...client,
    name: client.name ?? client.id,
    source: 'code',
    logoUri: null,
    clientUri: null,
    isEnabled: true,
    type: 'public',
    isFirstParty: true,
    postLogoutRedirectUris: [],
    backchannelLogoutUri: null,
    grants: null,
    scopes: null,
    resources: [],
    providers: [],
    hasSso: false,
    secretHashes: [],
    jwks: null,
    jwksUri: null,
    roles: [],
    subjectType: 'public',
    sectorIdentifierUri: null,
    idTokenAlgorithm: 'RS256',
    accessTokenAlgorithm: 'ES256',
    since: null,
  };
}
