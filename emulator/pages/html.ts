/** HTML that is safe to send: every text in it has been escaped. */
export class Markup {
  constructor(readonly text: string) {}
}

type Part = string | number | Markup | undefined | readonly Markup[];

/** A template whose values are escaped unless they are markup themselves; nicknames are hostile. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const filled = strings.map((text, index) => text + (index < parts.length ? render(parts[index]) : ''));
  return new Markup(filled.join(''));
}

/** Text that is markup already: styles and scripts of our own. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

/** A value as a JavaScript literal that cannot end the script it stands in. */
export function literal(value: unknown): Markup {
  return new Markup(JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, escapeInScript));
}

/** Text with the five characters that mean something in HTML replaced. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function render(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map((markup) => markup.text).join('');
  return escapeHtml(String(part));
}

function escapeInScript(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
