/** The first character of a name, whole even when it is an emoji: stands in for a picture. */
export function initial(name: string): string {
  return Array.from(name)[0] ?? '';
}
