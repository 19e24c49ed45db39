/** What a replica has used since it started, and uses now. */
export interface Readings {
  /** Statements sent to PostgreSQL, BEGIN and COMMIT included: each is a round trip. */
  readonly statements: number;
  /** Those of them that write. */
  readonly writes: number;
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly heapMb: number;
  /** How late the event loop was since the last reading. */
  readonly loopDelayP99Ms: number;
  /** Requests that wait for a connection of the pool. */
  readonly poolWaiting: number;
}

/** How the first message to a replica's process configures it. */
export interface ReplicaSettings {
  readonly databaseUrl: string;
  /** Null: WeChat's own. */
  readonly endpoints: { readonly api: string; readonly open: string; readonly mp: string } | null;
  readonly publicUrl: string;
  readonly key: string;
  /** Columns of a provider row to be written at start. */
  readonly provider: Readonly<Record<string, string | boolean>> | null;
  /** False behind a pooler that does not know prepared statements. */
  readonly preparedStatements?: boolean;
  /** Logs nothing, where failures are what a run is about. */
  readonly isSilent?: boolean;
}

/** Every later message to it. */
export interface Question {
  readonly id: number;
  /** Whether garbage goes before the memory is read, which takes CPU. */
  readonly tidy: boolean;
}

/** What it says. */
export type ReplicaMessage =
  | { readonly kind: 'started'; readonly url: string }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'readings'; readonly id: number; readonly readings: Readings };
