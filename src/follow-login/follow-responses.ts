import { z } from 'zod';
import type { IamErrorCode } from '../errors/iam.error.js';

/** RFC 8628 §3.2, with a picture of the QR code and a stream of its states. */
export const followStartedResponse = z.object({
  device_code: z.string(),
  user_code: z.string().meta({
    description: 'The code to show: it is typed at `verification_uri`, and the phone of a scan compares it',
  }),
  number: z.string().meta({
    description: 'Four digits, which may be typed on the phone of a scan in place of `user_code`',
  }),
  verification_uri: z.string().meta({ description: 'A page of ours to type `user_code` on, in any browser' }),
  verification_uri_complete: z.string().meta({ description: 'The content of the QR code' }),
  expires_in: z.number().meta({ description: 'Seconds' }),
  interval: z.number().meta({ description: 'Seconds between polls' }),
  qr_image: z.string().meta({ description: 'The QR code as a data URL (SVG)' }),
  confirmation: z
    .enum(['tap', 'number', 'none'])
    .meta({ description: 'What the phone must do after the scan' }),
  events_uri: z.string(),
});

/** `POST /follow/finish`: where the browser goes once the scan is confirmed, else where it may give up to. */
export const followFinishResponse = z.union([
  z.object({ status: z.literal('confirmed'), location: z.string() }),
  z.object({
    status: z.enum(['pending', 'scanned', 'denied', 'expired', 'failed', 'done']),
    return_to: z.string(),
  }),
]);

/** Why there may be no QR code. */
export const followStartErrors: readonly IamErrorCode[] = [
  'invalid_client',
  'invalid_scope',
  'rate_limited',
  'provider_not_found',
  'provider_disabled',
  'provider_misconfigured',
  'method_unavailable',
  'wechat_mp_not_configured',
  'wechat_open_not_configured',
  'wechat_unavailable',
  'wechat_answer_invalid',
  'wechat_credentials_rejected',
  'wechat_ip_not_allowed',
  'wechat_quota_exceeded',
  'wechat_permission_missing',
];

/** A QR code to follow by. */
export const followStartedExample: z.infer<typeof followStartedResponse> = {
  device_code: 'd9Qf…',
  user_code: 'WDJB-MJHT',
  number: '4821',
  verification_uri: 'https://app.example.com/iam/device',
  verification_uri_complete: 'http://weixin.qq.com/q/02aB…',
  expires_in: 300,
  interval: 2,
  qr_image: 'data:image/svg+xml;base64,PHN2Zy…',
  confirmation: 'tap',
  events_uri: 'https://app.example.com/iam/device_authorization/events?watch=…',
};
