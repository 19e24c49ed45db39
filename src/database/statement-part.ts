/** A `WITH` item of a larger statement: its text, given where its parameters start, and those. */
export interface StatementPart {
  readonly sql: (first: number) => string;
  readonly parameters: readonly unknown[];
}
