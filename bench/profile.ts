/** How long and how often everything is measured. */
export interface Profile {
  /** Unmeasured load before each measurement, for the JIT compiler and the connection pool. */
  readonly warmUpSeconds: number;
  readonly loadSeconds: number;
  /** Requests under way at once while under load. */
  readonly connections: number;
  /** Runs one after the other, in which statements and calls are counted. */
  readonly aloneRuns: number;
  /** Logins whose scan is pushed under load. */
  readonly scannedLogins: number;
  /** How many browsers wait, one measurement each. */
  readonly waiting: readonly number[];
  /** Scans per such measurement. */
  readonly scans: number;
  /** Milliseconds between two scans, on average. */
  readonly scanPauseMs: number;
  /** How long waiting browsers are watched doing nothing. */
  readonly idleSeconds: number;
  /** Processes started of each kind. */
  readonly starts: number;
  /** Users among whom administrators look for some. */
  readonly users: number;
  /** Rounds in which several hosts or databases are measured one after the other. */
  readonly rounds: number;
  /** Sign-ins under way at once beside other people's packages. */
  readonly peerConnections: number;
  /** How long a sign-in is measured in each round; a request: half that time. */
  readonly roundSeconds: number;
  /** The share of ten million users that the great database gets. */
  readonly scale: number;
  /** Where it is kept for the next run; null: it is temporary. */
  readonly dataDir: string | null;
}

/** Some minutes. */
export const fullProfile: Profile = {
  warmUpSeconds: 2,
  loadSeconds: 8,
  connections: 10,
  aloneRuns: 100,
  scannedLogins: 4_000,
  waiting: [1_000, 10_000],
  scans: 300,
  scanPauseMs: 50,
  idleSeconds: 16,
  starts: 9,
  users: 1_000_000,
  rounds: 5,
  peerConnections: 16,
  roundSeconds: 10,
  scale: 1,
  dataDir: null,
};

/** A minute; the numbers are noisy. */
export const quickProfile: Profile = {
  warmUpSeconds: 0.3,
  loadSeconds: 0.5,
  connections: 10,
  aloneRuns: 5,
  scannedLogins: 200,
  waiting: [200],
  scans: 10,
  scanPauseMs: 50,
  idleSeconds: 1,
  starts: 1,
  users: 10_000,
  rounds: 1,
  peerConnections: 16,
  roundSeconds: 2,
  scale: 0.01,
  dataDir: null,
};
