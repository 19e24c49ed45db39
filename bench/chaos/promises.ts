import type { Person } from '../../emulator/index.js';
import type { Tokens } from '../sign-in/redirect-client.js';

/** A session whose tokens reached their browser. */
export interface HeldSession {
  readonly id: string;
  refreshToken: string;
  accessToken: string;
  /** How often the refresh token has rotated. */
  generation: number;
  /** One request at a time uses it. */
  isBusy: boolean;
  /** A lost response was asked for again only after the grace, which ends the session. */
  isOver: boolean;
}

/** What the replicas have promised by responses that arrived, and which promises they were seen to break. */
export class Promises {
  /** Keys of pushes; see `pushKey`. */
  readonly acknowledged = new Set<string>();
  /** Pushes that WeChat gave up: nobody promised to have them. */
  givenUpPushes = 0;
  readonly sessions = new Map<string, HeldSession>();
  /** Logins for which `/token` was asked, whatever came back. */
  readonly askedLogins = new Set<string>();
  /** The user ids that each person was given; more than one are double users. */
  readonly people = new Map<Person, Set<string>>();
  readonly broken: string[] = [];

  /** Tokens of a sign-in have arrived. */
  hold(person: Person, tokens: Tokens): HeldSession {
    const { id, generation } = contentOf(tokens.refreshToken);
    const users = this.people.get(person) ?? new Set();
    this.people.set(person, users.add(userOf(tokens.accessToken)));
    const session = { ...tokens, id, generation, isBusy: false, isOver: false };
    this.sessions.set(id, session);
    return session;
  }

  /** Tokens of a refresh have arrived. */
  renew(session: HeldSession, tokens: Tokens): void {
    const { id, generation } = contentOf(tokens.refreshToken);
    if (id !== session.id || generation !== session.generation + 1)
      this.broken.push(
        `a refresh of session ${session.id}, generation ${session.generation} gave ${id}, ${generation}`,
      );
    Object.assign(session, tokens, { generation });
  }
}

/** Session and generation stand in the token in the clear. */
function contentOf(refreshToken: string): { readonly id: string; readonly generation: number } {
  const [, id, generation] = refreshToken.split('.');
  if (id === undefined) throw new TypeError('expected a refresh token');
  return { id, generation: Number(generation) };
}

/** Codes and device codes name their login in the clear. */
export function loginOf(code: string): string {
  return code.split('.')[1] ?? '';
}

function userOf(accessToken: string): string {
  const claims: unknown = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString());
  return typeof claims === 'object' && claims !== null && 'sub' in claims ? String(claims.sub) : '';
}

/** The name of a push in our accounts: only messages have a `MsgId`. */
export function pushKey({
  MsgId,
  FromUserName,
  CreateTime,
  Event,
}: Readonly<Record<string, unknown>>): string {
  return [MsgId, FromUserName, CreateTime, Event].map(String).join(' ');
}
