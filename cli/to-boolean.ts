/** `true` and `false` as they are typed; anything else is left to the rule of what it is for. */
export function toBoolean(text: string): unknown {
  return text === 'true' ? true : text === 'false' ? false : text;
}
