/** A value in a pushed message; 64-bit message ids are bigints. */
type FieldValue = string | number | bigint;

/** A pushed message or event: flat, in WeChat's order. */
export type PushFields = Readonly<Record<string, FieldValue>>;

/** XML as WeChat writes it: texts in CDATA, numbers bare (protocol F.5). */
export function toXml(fields: PushFields): string {
  const elements = Object.entries(fields).map(([name, value]) => {
    return `<${name}>${typeof value === 'string' ? cdata(value) : String(value)}</${name}>`;
  });
  return `<xml>${elements.join('')}</xml>`;
}

/** JSON with the same keys, numbers unquoted however long they are (protocol F.7). */
export function toJson(fields: PushFields): string {
  const members = Object.entries(fields).map(([name, value]) => {
    return `${JSON.stringify(name)}:${typeof value === 'string' ? JSON.stringify(value) : String(value)}`;
  });
  return `{${members.join(',')}}`;
}

function cdata(text: string): string {
  return `<![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}
