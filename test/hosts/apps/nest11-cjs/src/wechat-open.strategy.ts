import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { WechatOpenStrategy, type WechatStateStore, type WechatUserProfile } from 'nestjs-wechat-iam';

/** Enough for one process and nobody hostile. */
const states = new Set<string>();
const store: WechatStateStore = {
  store(_request, _meta, done) {
    const state = randomBytes(16).toString('hex');
    states.add(state);
    done(null, state);
  },
  verify(_request, state, _meta, done) {
    done(null, states.delete(state));
  },
};

/** The strategy alone, beside the module and the host's `jwt`. */
@Injectable()
export class HostWechatStrategy extends PassportStrategy(WechatOpenStrategy, 'wechat-open') {
  constructor() {
    super({
      appid: process.env.OPEN_APP_ID ?? '',
      secret: process.env.OPEN_APP_SECRET ?? '',
      callbackURL: `${process.env.PUBLIC_URL ?? ''}/strategy`,
      endpoints: { api: process.env.WECHAT_URL ?? '', open: process.env.WECHAT_URL ?? '' },
      allowLoopback: true,
      store,
    });
  }

  validate(_accessToken: string, _refreshToken: string, profile: WechatUserProfile): { nickname: string } {
    return { nickname: profile.displayName };
  }
}
