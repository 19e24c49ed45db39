import { StartUpError } from './start-up.error.js';

/** What the environment variables of the README say. */
export interface Environment {
  /** 0 means any free port. */
  readonly port: number;
  readonly emulatorPort: number;
  /** Where browsers reach this app; by default this machine. */
  readonly publicUrl: string | undefined;
  /** A PostgreSQL server; without it one is started. */
  readonly databaseUrl: string | undefined;
  /** What is to outlive a restart; without it nothing does. */
  readonly dataDir: string | undefined;
  /** Another WeChat than the emulator. */
  readonly wechat: { readonly api?: string; readonly open?: string; readonly mp?: string } | undefined;
  /** A JSON file with the identity provider rows that take the place of the demo's. */
  readonly providersFile: string | undefined;
  readonly key: string | undefined;
  /** Opens the admin API; without it one is made up for this run. */
  readonly adminToken: string | undefined;
  readonly rateLimits: 'on' | 'off';
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Reads and checks the variables; an empty one counts as unset. */
export function readEnvironment(variables: Variables): Environment {
  const read = (name: string): string | undefined => {
    const value = variables[name]?.trim();
    return value === '' ? undefined : value;
  };
  return {
    port: toPort('PORT', read('PORT') ?? '3000'),
    emulatorPort: toPort('EMULATOR_PORT', read('EMULATOR_PORT') ?? '3001'),
    publicUrl: read('PUBLIC_URL'),
    databaseUrl: read('DATABASE_URL'),
    dataDir: read('DATA_DIR'),
    wechat: toEndpoints({
      api: read('WECHAT_API_URL'),
      open: read('WECHAT_OPEN_URL'),
      mp: read('WECHAT_MP_URL'),
    }),
    providersFile: read('IAM_PROVIDERS'),
    key: read('IAM_KEY'),
    adminToken: toAdminToken(read('IAM_ADMIN_TOKEN')),
    rateLimits: toSwitch('IAM_RATE_LIMITS', read('IAM_RATE_LIMITS') ?? 'on'),
  };
}

function toPort(name: string, value: string): number {
  const port = Number(value);
  if (/^\d{1,5}$/.test(value) && port <= 65_535) return port;
  throw new StartUpError(`${name} is "${value}": expected a port from 0 to 65535.`);
}

/** The value is not repeated: it may be somebody's secret with a typing error. */
function toAdminToken(value: string | undefined): string | undefined {
  if (value === undefined || /^[\w.~+/=-]{32,512}$/.test(value)) return value;
  throw new StartUpError(
    'IAM_ADMIN_TOKEN: expected at least 32 letters, digits or - . _ ~ + / = (openssl rand -hex 32).',
  );
}

function toSwitch(name: string, value: string): 'on' | 'off' {
  if (value === 'on' || value === 'off') return value;
  throw new StartUpError(`${name} is "${value}": expected "on" or "off".`);
}

function toEndpoints(hosts: Record<'api' | 'open' | 'mp', string | undefined>): Environment['wechat'] {
  const { api, open, mp } = hosts;
  if (api === undefined && open === undefined && mp === undefined) return undefined;
  return {
    ...(api !== undefined && { api }),
    ...(open !== undefined && { open }),
    ...(mp !== undefined && { mp }),
  };
}
