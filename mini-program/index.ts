export { IamClientError, type Json, type OwnErrorCode } from '../client/error.js';
export type { IamUser } from '../client/types.js';
export {
  type Approval,
  type ApprovalAnswer,
  MiniProgramClient,
  type MiniProgramClientOptions,
  type SignInOptions,
} from './mini-program-client.js';
export type { WechatApi, WechatRequest, WechatResponse } from './wechat.js';
