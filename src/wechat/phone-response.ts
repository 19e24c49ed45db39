import { z } from 'zod';

/** Documented as a string, shown as a number in WeChat's own sample (protocol D.3). */
const countryCode = z
  .union([z.string(), z.number().int()])
  .transform(String)
  .refine((code) => /^[1-9]\d{0,3}$/.test(code));

/**
 * `/wxa/business/getuserphonenumber`, for the mini program with this appid: the number with its country code, e.g.
 * `+8613800138000`. A watermark of another app is refused.
 */
export function phoneAnswerOf(appid: string): z.ZodType<string> {
  return z
    .object({
      phone_info: z.object({
        purePhoneNumber: z.string().regex(/^\d{4,20}$/),
        countryCode,
        watermark: z.object({ appid: z.literal(appid) }),
      }),
    })
    .transform(({ phone_info }) => `+${phone_info.countryCode}${phone_info.purePhoneNumber}`);
}
