import { z } from 'zod';
import { rulesSchema } from '../rules.js';

const appid = z.string().min(1);
const server = z.strictObject({
  url: z.url().optional(),
  token: z.string().optional(),
  encodingAesKey: z.string().length(43).optional(),
  mode: z.enum(['plain', 'compatible', 'safe']).optional(),
  format: z.enum(['xml', 'json']).optional(),
});

const approvalPage = z.strictObject({
  page: z.string(),
  server: z.url(),
  clientId: z.string(),
  provider: z.string(),
});

/** What the control API takes, one shape per action. Unknown fields are refused, so that a typo does not pass silently. */
export const schemas = {
  nothing: z.strictObject({}),
  newApp: z.strictObject({
    kind: z.enum(['website', 'official', 'mobile', 'mini']),
    account: z.string().optional(),
    callbackDomain: z.string().optional(),
    oauthDomain: z.string().optional(),
    pages: z.array(z.string()).optional(),
    approvalPage: approvalPage.optional(),
    members: z.array(z.string()).optional(),
    verified: z.boolean().optional(),
    sandbox: z.boolean().optional(),
    appid: appid.optional(),
    secret: z.string().optional(),
    name: z.string().optional(),
    refreshTokenDays: z.number().positive().optional(),
    ipWhitelist: z.array(z.string()).optional(),
    serverUrl: z.string().optional(),
    token: z.string().optional(),
    encodingAesKey: z.string().length(43).optional(),
    mode: server.shape.mode,
    format: server.shape.format,
  }),
  appChanges: z.strictObject({
    name: z.string().optional(),
    secret: z.string().optional(),
    accountId: z.string().nullable().optional(),
    callbackDomain: z.string().optional(),
    oauthDomain: z.string().optional(),
    verified: z.boolean().optional(),
    sandbox: z.boolean().optional(),
    banned: z.boolean().optional(),
    approvalPage: approvalPage.optional(),
    refreshTokenDays: z.number().positive().optional(),
    ipWhitelist: z.array(z.string()).optional(),
    server: server.optional(),
  }),
  migration: z.strictObject({ to: appid, confirmed: z.boolean().optional() }),
  push: z.strictObject({
    fields: z.record(z.string(), z.union([z.string(), z.number()])),
    url: z.string().optional(),
    mode: server.shape.mode,
    format: server.shape.format,
    token: z.string().optional(),
    encodingAesKey: z.string().optional(),
    appid: z.string().optional(),
    timestamp: z.union([z.string(), z.number()]).optional(),
    nonce: z.string().optional(),
    times: z.int().min(1).max(1000).optional(),
    atOnce: z.boolean().optional(),
  }),
  newPerson: z.strictObject({
    nickname: z.string(),
    avatar: z.string().optional(),
    id: z.string().min(1).optional(),
  }),
  profile: z.strictObject({
    nickname: z.string().optional(),
    avatar: z.string().optional(),
    phoneNumber: z.string().regex(/^\d+$/).optional(),
    countryCode: z
      .string()
      .regex(/^[1-9]\d{0,2}$/)
      .optional(),
  }),
  navigation: z.object({
    client: z.enum(['android', 'ios', 'windows', 'mac', 'wecom']).optional(),
    from: appid.optional(),
    fullService: z.boolean().optional(),
    duplicateCallback: z.enum(['same-phone', 'stranger']).optional(),
  }),
  scan: z.object({ content: z.string(), follow: z.boolean().optional() }),
  open: z.object({ url: z.url() }),
  post: z.object({ url: z.url(), form: z.record(z.string(), z.string()) }),
  mini: z.union([
    z.strictObject({ code: z.string(), inSinglePage: z.boolean().optional() }),
    z.strictObject({ link: z.string() }),
  ]),
  approval: z.strictObject({
    decision: z.enum(['confirm', 'deny']),
    userCode: z.string().optional(),
    withPhone: z.boolean().optional(),
  }),
  app: z.strictObject({ appid }),
  say: z.strictObject({ appid, text: z.string() }),
  menu: z.strictObject({ appid, key: z.string() }),
  revoke: z.strictObject({ appid, revokeInfo: z.string().optional() }),
  fault: z.strictObject({
    path: z.string().startsWith('/'),
    always: z.boolean().optional(),
    fault: z.strictObject({
      errcode: z.int().optional(),
      errmsg: z.string().optional(),
      status: z.int().min(200).max(599).optional(),
      body: z.string().optional(),
      contentType: z.string().optional(),
      delay: z.number().min(0).optional(),
      drop: z.literal(true).optional(),
      truncate: z.int().min(0).optional(),
      drip: z.number().min(0).optional(),
      contentLength: z.int().min(0).optional(),
      patch: z.record(z.string(), z.unknown()).optional(),
      remove: z.array(z.string()).optional(),
      rawControls: z.literal(true).optional(),
      afterConsuming: z.literal(true).optional(),
    }),
  }),
  clock: z.union([
    z.strictObject({ advance: z.number() }),
    z.strictObject({ set: z.union([z.number(), z.iso.datetime({ offset: true })]) }),
  ]),
  rules: rulesSchema,
};
