import pg from 'pg';

/** A type whose values `pg` can be told to read differently. */
export type ParsedType = 'BOOL' | 'INT8' | 'JSONB' | 'TIMESTAMPTZ';

type Parser = (text: string) => unknown;

/** Runs `work` while `pg` reads these types by `parser` in the whole process, as a host may have set it. */
export async function withParser<T>(
  types: readonly ParsedType[],
  parser: Parser,
  work: () => Promise<T>,
): Promise<T> {
  const earlier = types.map((type) => {
    const before: unknown = pg.types.getTypeParser(pg.types.builtins[type]);
    const restored: Parser = (text) =>
      typeof before === 'function' ? Reflect.apply(before, null, [text]) : text;
    return [pg.types.builtins[type], restored] as const;
  });
  for (const type of types) pg.types.setTypeParser(pg.types.builtins[type], parser);
  try {
    return await work();
  } finally {
    for (const [id, before] of earlier) pg.types.setTypeParser(id, before);
  }
}
