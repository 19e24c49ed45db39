/** A `Vary` header with more names, each once. */
export function mergeVary(present: unknown, names: readonly string[]): string {
  const lines = [present].flat().filter((line) => typeof line === 'string');
  const all = [...lines.flatMap((line) => line.split(',')), ...names].map((name) => name.trim());
  const once = new Map(all.filter((name) => name !== '').map((name) => [name.toLowerCase(), name]));
  return [...once.values()].join(', ');
}
