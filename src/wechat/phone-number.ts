import { z } from 'zod';

/** Documented as a string, shown as a number in WeChat's own sample (protocol D.3). */
const countryCode = z
  .union([z.string(), z.number().int()])
  .transform(String)
  .refine((code) => /^[1-9]\d{0,3}$/.test(code));

/** `/wxa/business/getuserphonenumber`. The watermark names the mini program and says when. */
export const phoneResponse = z.object({
  phone_info: z.object({
    purePhoneNumber: z.string().regex(/^\d{4,20}$/),
    countryCode,
    watermark: z.object({ appid: z.string(), timestamp: z.coerce.number().int() }),
  }),
});

/** What WeChat says of a phone number. */
type PhoneResponse = z.output<typeof phoneResponse>;

/** The button's code lives five minutes; the rest is for clocks that differ. */
const FRESH_MS = 10 * 60_000;

/** The field by which a number turns out to be of another mini program or another time. */
export function foreignPhoneField(
  { phone_info: { watermark } }: PhoneResponse,
  { appid, now }: { readonly appid: string; readonly now: number },
): string | undefined {
  if (watermark.appid !== appid) return 'phone_info.watermark.appid';
  const isFresh = Math.abs(now - watermark.timestamp * 1000) <= FRESH_MS;
  return isFresh ? undefined : 'phone_info.watermark.timestamp';
}

/**
 * In the form of E.164, e.g. `+8613800138000`; null for what is no number of that country. Its length decides, not the lists of ranges:
 * they are older than the newest numbers. They are loaded with the first number.
 */
export async function toE164({
  phone_info: { purePhoneNumber, countryCode },
}: PhoneResponse): Promise<string | null> {
  const { parsePhoneNumberFromString } = await import('libphonenumber-js/min');
  const number = parsePhoneNumberFromString(`+${countryCode}${purePhoneNumber}`, { extract: false });
  const isNumber = number?.isPossible() === true && number.countryCallingCode === countryCode;
  return isNumber ? number.number : null;
}

/**
 * Calling codes of one and two digits; all others have three (ITU-T E.164, annex A). None begins with another, so that a number in
 * E.164 says which it has.
 */
const callingCode = /^\+(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/;

/** A number as it is shown to those who need not know it: calling code and the last digits. */
export function maskPhoneNumber(phoneNumber: string): string {
  const [code = ''] = callingCode.exec(phoneNumber) ?? [];
  const digits = phoneNumber.slice(code.length);
  const shown = digits.length >= 8 ? 4 : 2;
  return `${code}${'*'.repeat(Math.max(0, digits.length - shown))}${digits.slice(-shown)}`;
}
