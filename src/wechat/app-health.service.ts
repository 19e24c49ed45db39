import { Injectable } from '@nestjs/common';
import { Clock } from '../runtime/clock.js';
import type { IamErrorCode } from '../errors/iam.error.js';
import type { WechatCallReport } from './wechat-http.js';

/** An app that WeChat refuses to serve until somebody acts: see `code`. */
export interface AppTrouble {
  readonly appid: string;
  readonly endpoint: string;
  readonly code: IamErrorCode;
  readonly errcode: number | undefined;
  readonly since: Date;
}

/** What no waiting mends. */
const definitive: ReadonlySet<string> = new Set(['wechat_credentials_rejected', 'wechat_ip_not_allowed']);
/** What WeChat says only to an app whose secret and address it takes. */
const settling: ReadonlySet<string> = new Set(['ok', 'wechat_code_invalid']);

/** Remembers, in this process, which apps WeChat definitively refused, until it serves them again. */
@Injectable()
export class AppHealth {
  /** By app and endpoint: a secret may be right where the address is wrong, which not every endpoint looks at. */
  private readonly troubles = new Map<string, AppTrouble>();

  constructor(private readonly clock: Clock) {}

  /** Takes note of a call that carried an app's secret. */
  note({ appid, endpoint, outcome, errcode }: WechatCallReport): void {
    if (appid === undefined) return;
    const key = `${appid} ${endpoint}`;
    if (settling.has(outcome)) this.troubles.delete(key);
    if (outcome === 'ok' || !definitive.has(outcome)) return;
    const since = this.troubles.get(key)?.since ?? new Date(this.clock.now());
    this.troubles.set(key, { appid, endpoint, code: outcome, errcode, since });
  }

  /** Every trouble that is known now. */
  list(): AppTrouble[] {
    return [...this.troubles.values()];
  }
}
