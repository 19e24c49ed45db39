import { PrismaPg } from '@prisma/adapter-pg';
import { ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import { defineConfig } from 'prisma/config';

// Prisma's schema engine comes from npm as WASM only, and asks PostgreSQL through the client's adapter. That one cannot read
// two types of the catalogs, and drops a shadow database while it is connected there: without this, every command fails.
const catalogTypes = { 18: ColumnTypeEnum.Character, 19: ColumnTypeEnum.Text };
const text = 25;

const { username: user, password, hostname: host, port, pathname } = new URL(process.env.DATABASE_URL);
const server = { host, port: Number(port), user, password, allowExitOnIdle: true };
const connectTo = (database) => new PrismaPg({ ...server, database }).connect();

// The engine never clears the timers of its time limits, and the command would not end before them.
const { setTimeout: startTimer } = globalThis;
globalThis.setTimeout = (work, ms, ...rest) => {
  const timer = startTimer(work, ms, ...rest);
  return ms >= 10_000 ? timer.unref() : timer;
};

async function queryCatalogs(adapter, query) {
  const types = [];
  const reader = Object.create(adapter);
  reader.performIO = async (statement) => {
    const result = await adapter.performIO(statement);
    for (const [index, field] of result.fields.entries()) {
      const type = catalogTypes[field.dataTypeID];
      if (type === undefined) continue;
      types.push([index, type]);
      field.dataTypeID = text;
    }
    return result;
  };
  const result = await Reflect.getPrototypeOf(adapter).queryRaw.call(reader, query);
  for (const [index, type] of types) result.columnTypes[index] = type;
  return result;
}

async function connect(database) {
  const adapter = await connectTo(database);
  return Object.assign(adapter, { queryRaw: (query) => queryCatalogs(adapter, query) });
}

async function connectToShadowDb() {
  const database = `shadow_${crypto.randomUUID()}`;
  const home = await connectTo(pathname.slice(1));
  await home.executeScript(`CREATE DATABASE "${database}"`);
  const shadow = await connect(database);
  const disconnect = shadow.dispose.bind(shadow);
  const dispose = async () => {
    await disconnect();
    await home.executeScript(`DROP DATABASE "${database}"`);
    await home.dispose();
  };
  return Object.assign(shadow, { dispose });
}

export default defineConfig({
  experimental: { adapter: true },
  engine: 'js',
  schema: 'prisma/schema.prisma',
  adapter: async () => ({
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => connect(pathname.slice(1)),
    connectToShadowDb,
  }),
});
