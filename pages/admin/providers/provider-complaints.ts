import { codeWords } from '../../shared/language';

/** Why a text is refused, by `column:complaint`, else by the complaint. */
const complaints = codeWords({
  refused: ['服务器不接受这个值。', 'The server does not take this value.'],
  'qr_login_with:refused': [
    '只有关注公众号的二维码之后才能再用网站应用登录。',
    'Signing in with the website app as a second step works only with the follow-to-login QR code.',
  ],
  'qr_confirmation:refused': [
    '只有关注公众号的二维码可以不要求确认。',
    'Only the follow-to-login QR code may go unconfirmed.',
  ],
  required: ['请填写。', 'Fill this in.'],
  tooLong: ['太长了，最多 {max} 个字符。', 'Too long: at most {max} characters.'],
  pattern: [
    '只能用字母、数字、- 与 _，例如 wx0123456789abcdef。',
    'Only letters, digits, - and _, such as wx0123456789abcdef.',
  ],
  'mini_approval_page:pattern': [
    '页面路径，不以 / 开头，也没有参数，例如 pages/approve/approve。',
    'The path of a page without a leading / and without a query, such as pages/approve/approve.',
  ],
  'slug:pattern': [
    '只能用小写字母、数字、- 与 _，以字母或数字开头，最多 63 个。',
    'Lower-case letters, digits, - and _, beginning with a letter or digit, at most 63.',
  ],
  'mp_token:pattern': ['必须是 3 到 32 位字母或数字。', 'It has to be 3 to 32 letters and digits.'],
  'mp_encoding_aes_key:pattern': [
    '必须正好是 43 位字母或数字。',
    'It has to be exactly 43 letters and digits.',
  ],
  'secret:pattern': [
    '不能有空格或中文；请从控制台重新复制。',
    'No spaces, printable ASCII only: copy it from the console again.',
  ],
});

/** A complaint of `complaintOf` in words. */
export function complaintText(
  {
    column,
    kind,
    maxLength = 0,
  }: { readonly column: string; readonly kind: string; readonly maxLength?: number },
  complaint: string,
): string {
  const keys = [`${column}:${complaint}`, `${kind}:${complaint}`, complaint];
  const text = keys.map((key) => complaints(key)).find((each, at) => each !== keys[at]) ?? complaint;
  return text.replace('{max}', String(maxLength));
}
