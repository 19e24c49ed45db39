import { Module } from '@nestjs/common';
import type { Person } from '../../emulator/index.js';
import type { IamHooks, MatchedUser, SignUp } from '../../src/index.js';
import { addApps, callMe, type Apps } from './account.js';
import { adminOptions } from './admin.js';
import { startWorld, type World } from './iam-app.js';
import { LogCapture } from './log-capture.js';
import { PcBrowser, type Reply } from './pc-browser.js';
import { rowsOf } from './rows.js';
import { toTokens } from './sign-in.js';

/** A host that knows some people by their number. */
export class MatchingHooks implements IamHooks {
  readonly asked: SignUp[] = [];
  readonly signedUp: SignUp[] = [];
  /** Any value: a host in JavaScript may return what it likes. */
  answer: (person: SignUp) => unknown = () => undefined;

  /** Not async: an answer that throws does so at once. */
  matchUser(person: SignUp): Promise<MatchedUser | undefined> | MatchedUser | undefined {
    this.asked.push(person);
    const answer = this.answer(person);
    return isAnswer(answer) ? answer : undefined;
  }

  beforeSignUp(person: SignUp): undefined {
    this.signedUp.push(person);
  }

  reset(): void {
    this.answer = () => undefined;
    this.asked.length = 0;
    this.signedUp.length = 0;
  }
}

function isAnswer(answer: unknown): answer is Promise<MatchedUser | undefined> | MatchedUser {
  return answer !== undefined;
}

/** A host that knows one person by their number. */
export class KnowsOneNumber implements IamHooks {
  static readonly number = '13900139000';

  matchUser({ phoneNumber }: SignUp): MatchedUser | undefined {
    return phoneNumber === `+86${KnowsOneNumber.number}` ? { externalId: 'by-number' } : undefined;
  }
}

@Module({ providers: [MatchingHooks], exports: [MatchingHooks] })
export class MatchingHooksModule {}

/** A world whose people sign in by a mini program, with their numbers. */
export interface PhoneWorld extends World {
  readonly apps: Apps;
  readonly hooks: MatchingHooks;
  readonly log: LogCapture;
}

/** Numbers are of one user alone; hooks have 300 ms. */
export async function startPhoneWorld(): Promise<PhoneWorld> {
  const log = new LogCapture();
  const options = { hooks: MatchingHooks, hookTimeout: 2_000, phone: { unique: true } } as const;
  const world = await startWorld({
    imports: [MatchingHooksModule],
    options: { ...adminOptions, ...options, rateLimits: 'off' },
    logger: log,
  });
  return { ...world, apps: await addApps(world), hooks: world.app.get(MatchingHooks), log };
}

let numbers = 0;

/** Somebody new, with a number that nobody else has unless it is given. */
export function owner(
  { wechat }: World,
  phoneNumber = `139${String((numbers += 1)).padStart(8, '0')}`,
): Person {
  const person = wechat.person({ nickname: '小兰' });
  person.changeProfile({ phoneNumber });
  return person;
}

/** A sign-in in the mini program, with a code of its phone button where one is given. */
export function signInMini(
  { url, apps }: Pick<PhoneWorld, 'url' | 'apps'>,
  person: Person,
  phoneCode?: string,
): Promise<Reply> {
  return new PcBrowser().visit(`${url}/iam/token`, {
    form: {
      grant_type: 'urn:wechat:grant:mini_program',
      client_id: 'web',
      provider: 'wechat',
      code: person.wxLogin(apps.mini),
      ...(phoneCode !== undefined && { phone_code: phoneCode }),
    },
    headers: { accept: 'application/json' },
  });
}

/** A sign-in in the mini program after its phone button was pressed. */
export const signInWithNumber = (
  { url, apps }: Pick<PhoneWorld, 'url' | 'apps'>,
  person: Person,
): Promise<Reply> => signInMini({ url, apps }, person, person.phoneNumberCode(apps.mini));

/** What `/iam/me` says to somebody who has just come in. */
export const meOf = async (world: World, reply: Reply) => (await callMe(world, toTokens(reply), '')).json();

/** The code of a refusal; `in` for tokens. */
export const outcomeOf = (reply: Reply): unknown => reply.json()['code'] ?? 'in';

/** How much is stored of people. */
export async function countPeople({ dataSource }: World) {
  const [counts] = await rowsOf(
    dataSource,
    `SELECT (SELECT count(*)::int FROM iam.users) AS users, (SELECT count(*)::int FROM iam.identities) AS identities,
            (SELECT count(*)::int FROM iam.sessions) AS sessions,
            (SELECT count(*)::int FROM iam.users WHERE phone_number IS NOT NULL) AS numbers`,
  );
  return counts;
}

/** What the audit log has about a user, beside their sessions, by the name of the action: entries of one statement have no order. */
export const auditOf = ({ dataSource }: World, userId: unknown) =>
  rowsOf(
    dataSource,
    `SELECT action, detail FROM iam.audit_log WHERE user_id = $1 AND action <> 'session.started' ORDER BY action, id`,
    [userId],
  );
