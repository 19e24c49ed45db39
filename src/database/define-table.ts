import {
  EntitySchema,
  type EntitySchemaColumnOptions,
  type EntitySchemaIndexOptions,
  type EntitySchemaRelationOptions,
} from 'typeorm';

export const uuid = { type: 'uuid' } as const;
export const text = { type: 'text' } as const;
export const integer = { type: 'integer' } as const;
export const boolean = { type: 'boolean' } as const;
export const json = { type: 'jsonb' } as const;
export const timestamp = { type: 'timestamptz' } as const;
/** A time that is the present one in a new row. */
export const now = { ...timestamp, default: () => 'now()' } as const;

/** A column of the primary key. */
export const key = (column: EntitySchemaColumnOptions) => ({ ...column, primary: true });
export const nullable = (column: EntitySchemaColumnOptions) => ({ ...column, nullable: true });

type AnyRow = Record<string, unknown>;
type ActionOptions = Pick<EntitySchemaRelationOptions, 'onDelete' | 'onUpdate' | 'deferrable'>;

/** A foreign key: the table, and its column for each of ours. */
interface Reference extends ActionOptions {
  readonly table: string;
  readonly columns: Readonly<Record<string, string>>;
}

/** All but the columns is by the name of the constraint or index. */
interface TableDescription<Row> {
  readonly columns: Readonly<Record<keyof Row & string, EntitySchemaColumnOptions>>;
  readonly uniques?: Readonly<Record<string, string[]>>;
  readonly checks?: Readonly<Record<string, string>>;
  readonly indexes?: Readonly<Record<string, string[] | EntitySchemaIndexOptions>>;
  readonly references?: Readonly<Record<string, Reference>>;
}

/**
 * Describes a table of the schema `iam` to TypeORM; properties have the names of the columns. Our migrations alone make it: a
 * host's `synchronize` would make it without triggers, functions and indexes.
 */
export function defineTable<Row = AnyRow>(
  table: string,
  description: TableDescription<Row>,
): EntitySchema<Row>;
export function defineTable(
  table: string,
  { columns, uniques = {}, checks = {}, indexes = {}, references = {} }: TableDescription<AnyRow>,
): EntitySchema {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- TypeORM declares its options as a class
  return new EntitySchema<AnyRow>({
    name: `iam.${table}`,
    tableName: table,
    schema: 'iam',
    synchronize: false,
    // With a name of its own a column keeps it under the host's naming strategy.
    columns: mapValues(columns, (column, name) => ({ ...column, name })),
    uniques: Object.entries(uniques).map(([name, of]) => ({ name, columns: of })),
    checks: Object.entries(checks).map(([name, expression]) => ({ name, expression })),
    indices: Object.entries(indexes).map(([name, of]) => ({
      name,
      ...(Array.isArray(of) ? { columns: of } : of),
    })),
    relations: mapValues(references, relationOf),
  });
}

function relationOf({ table, columns, ...actions }: Reference, name: string): EntitySchemaRelationOptions {
  const joinColumn = Object.entries(columns).map(([column, referencedColumnName]) => ({
    name: column,
    referencedColumnName,
    foreignKeyConstraintName: name,
  }));
  return { type: 'many-to-one', target: `iam.${table}`, joinColumn, ...actions };
}

function mapValues<V, T>(record: Readonly<Record<string, V>>, map: (value: V, name: string) => T) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
