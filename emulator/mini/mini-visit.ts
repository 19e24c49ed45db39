import type { ApprovalPage, MiniProgramState } from '../world/app-state.js';
import type { MiniTarget } from '../world/mini-entries.js';

/** Kinds of entry, in WeChat's numbers (protocol part 2, A.4). */
export const entries = { scannedCode: 1047, singlePage: 1154, crawler: 1129 } as const;

/** A request of another device as the approval page shows it. */
export interface Approval {
  readonly id: string;
  readonly site: string;
  /** The application that the other device signs in to; absent where it has no name of its own. */
  readonly application?: string;
  readonly browser: string;
  readonly address: string;
  readonly asked_at: string;
  readonly expires_in: number;
  /** What the other device shows, to be compared; absent where the person types it. */
  readonly user_code?: string;
  /** The account that the person's WeChat would be linked to; absent for a sign-in. */
  readonly account?: string;
}

/** What the program shows: `page` is any other page than the approval page. */
export type MiniScreen =
  | { readonly kind: 'page' }
  /** Nothing was sent: there is nobody here, or no login (a crawler, single-page mode). */
  | { readonly kind: 'idle' }
  | { readonly kind: 'question'; readonly approval: Approval }
  | { readonly kind: 'confirmed' | 'denied' }
  /** The server's code for what went wrong; a number that was wrong may be typed again. */
  | { readonly kind: 'problem'; readonly code: string; readonly approval?: Approval };

/** What a person does about a request. */
export interface ApprovalAnswer {
  /** The number or letters that the other device shows, where they are typed. */
  readonly userCode?: string;
  /** Presses the phone-number button too. */
  readonly withPhone?: boolean;
}

/** What a visit is made of. */
interface MiniVisitParts {
  readonly app: MiniProgramState;
  readonly target: MiniTarget;
  /** `options.scene`: how the program was entered. */
  readonly entry: number;
  readonly isHotStart: boolean;
  /** `wx.login()` and the phone-number button; nobody's for a crawler. */
  readonly person: { readonly login: () => string; readonly phoneNumber: () => string } | null;
}

/** A mini program that a code or a link has opened on somebody's phone. Its approval page is played as a real one behaves. */
export class MiniVisit {
  #screen: MiniScreen = { kind: 'page' };
  #token = '';

  constructor(private readonly parts: MiniVisitParts) {}

  /** Opens the page. */
  static async open(parts: MiniVisitParts): Promise<MiniVisit> {
    const visit = new MiniVisit(parts);
    const { approvalPage: page } = parts.app;
    if (page?.page === visit.page) await visit.#load(page);
    return visit;
  }

  get appid(): string {
    return this.parts.app.appid;
  }

  get page(): string {
    return this.parts.target.page || (this.parts.app.pages?.[0] ?? '');
  }

  /** The parameters of `Page.onLoad`: still percent-encoded. */
  get query(): Readonly<Record<string, string>> {
    const pairs = this.parts.target.query.split('&').filter((pair) => pair !== '');
    return Object.fromEntries(pairs.map((pair) => [pair.split('=')[0] ?? '', pair.replace(/^[^=]*=?/, '')]));
  }

  get entry(): number {
    return this.parts.entry;
  }

  /** Cold: the program was not running, and `onLaunch` sees the options too. */
  get start(): 'cold' | 'hot' {
    return this.parts.isHotStart ? 'hot' : 'cold';
  }

  get screen(): MiniScreen {
    return this.#screen;
  }

  confirm(answer: ApprovalAnswer = {}): Promise<MiniScreen> {
    return this.#decide('confirm', answer);
  }

  deny(): Promise<MiniScreen> {
    return this.#decide('deny', {});
  }

  async #load({ clientId, provider }: ApprovalPage): Promise<void> {
    const { person, entry } = this.parts;
    const isLoggedOut = entry === entries.crawler || entry === entries.singlePage;
    if (person === null || isLoggedOut) {
      this.#screen = { kind: 'idle' };
      return;
    }
    const grant = { grant_type: 'urn:wechat:grant:mini_program', client_id: clientId, provider };
    const tokens = await this.#post('token', { ...grant, code: person.login() });
    this.#token = textOf(tokens.body['access_token']);
    const scene = decodeURIComponent(this.query['scene'] ?? '');
    const asked = tokens.problem === undefined ? await this.#post('approvals', { scene }) : tokens;
    this.#screen =
      asked.problem === undefined && isApproval(asked.body)
        ? { kind: 'question', approval: asked.body }
        : { kind: 'problem', code: asked.problem ?? 'no_approval' };
  }

  async #decide(decision: 'confirm' | 'deny', { userCode, withPhone }: ApprovalAnswer): Promise<MiniScreen> {
    const approval = 'approval' in this.#screen ? this.#screen.approval : undefined;
    if (approval === undefined) throw new Error('the program asks nothing');
    const answered = await this.#post(`approvals/${approval.id}`, {
      decision,
      ...(userCode === undefined ? {} : { user_code: userCode }),
      ...(withPhone === true ? { phone_code: this.parts.person?.phoneNumber() } : {}),
    });
    const { problem: code } = answered;
    if (code === undefined) this.#screen = { kind: decision === 'confirm' ? 'confirmed' : 'denied' };
    else this.#screen = { kind: 'problem', code, ...(mayAnswerAgain(code) ? { approval } : {}) };
    return this.#screen;
  }

  /** As `wx.request` of this program. */
  async #post(
    path: string,
    body: object,
  ): Promise<{ readonly body: Record<string, unknown>; readonly problem?: string }> {
    const { appid, approvalPage } = this.parts.app;
    const response = await fetch(`${approvalPage?.server ?? ''}/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        referer: `https://servicewechat.com/${appid}/1/page-frame.html`,
        ...(this.#token === '' ? {} : { authorization: `Bearer ${this.#token}` }),
      },
      body: JSON.stringify(body),
    });
    const answer = parse(await response.text());
    if (response.ok) return { body: answer };
    return {
      body: answer,
      problem: textOf(answer['code']) || textOf(answer['error']) || String(response.status),
    };
  }
}

function mayAnswerAgain(code: string): boolean {
  return ['user_code_invalid', 'phone_code_invalid', 'phone_number_taken'].includes(code);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function isApproval(value: unknown): value is Approval {
  const texts = ['id', 'site', 'browser', 'address', 'asked_at'];
  return isRecord(value) && texts.every((name) => typeof value[name] === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
