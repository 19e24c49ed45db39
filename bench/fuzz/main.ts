import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { readWholeNumber } from '../arguments.js';
import { type Resources, runProgram } from '../resources.js';
import { openDatabaseServer, withClient } from '../database-server.js';
import { quickProfile } from '../profile.js';
import { addProvider, openWorld, type World } from '../world.js';
import { hostileMessage, Random } from './hostile-messages.js';
import { signedPush, type Mode, type Target } from './signed-push.js';

const modes = ['safe', 'compatible', 'plain'] as const;
const AT_ONCE = 16;
/** One of so many pushes is delivered again, signed anew. */
const REPEATED = 10;

/** What the run came to. */
interface Tally {
  readonly answers: Map<number, number>;
  /** What was sent, however often. */
  readonly messages: Set<string>;
}

const { values } = parseArgs({
  options: { count: { type: 'string', default: '200000' }, seed: { type: 'string' } },
});
const count = readWholeNumber('count', values.count, 0);
const seed = values.seed === undefined ? randomInt(2 ** 31) : readWholeNumber('seed', values.seed, 0);

async function targetOf(world: World, mode: Mode): Promise<Target> {
  const { wechat, replica } = world;
  const { appid, secret, settings } = wechat
    .openPlatformAccount()
    .officialAccount({ oauthDomain: 'localhost' });
  const { token, encodingAesKey } = settings.server;
  await addProvider(world, {
    ...{ slug: mode, name: mode, mp_app_id: appid, mp_app_secret: secret, mp_token: token },
    ...{ mp_encoding_aes_key: encodingAesKey, mp_message_mode: mode },
  });
  return { mode, appid, token, encodingAesKey, url: `${replica.url}/iam/webhook/${mode}` };
}

async function send({ agent }: World, target: Target, message: Buffer, tally: Tally): Promise<void> {
  const { url, body } = signedPush(target, message);
  const answer = await request(url, {
    method: 'POST',
    body,
    dispatcher: agent,
    headers: { 'content-type': 'text/xml' },
  });
  const text = await answer.body.text();
  tally.answers.set(answer.statusCode, (tally.answers.get(answer.statusCode) ?? 0) + 1);
  tally.messages.add(`${target.mode}:${message.toString('base64')}`);
  if (answer.statusCode !== 200)
    process.stdout.write(`${answer.statusCode} ${target.mode} ${message.toString('base64')} ${text}\n`);
}

async function fire(world: World, targets: readonly Target[]): Promise<Tally> {
  const random = new Random(seed);
  const tally: Tally = { answers: new Map(), messages: new Set() };
  let sent = 0;
  const work = async () => {
    while (sent < count) {
      sent += 1;
      if (sent % 10_000 === 0) process.stderr.write(`${sent} sent\n`);
      const target = targets[sent % targets.length];
      const message = hostileMessage(random);
      const times = random.below(REPEATED) === 0 ? 2 : 1;
      for (let time = 0; target !== undefined && time < times; time += 1)
        await send(world, target, message, tally);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return tally;
}

async function storedRows(url: string): Promise<number> {
  const { rows } = await withClient(url, (client) =>
    client.query<{ stored: number }>('SELECT count(*)::int AS stored FROM iam.webhook_events'),
  );
  return rows[0]?.stored ?? 0;
}

async function run(resources: Resources): Promise<boolean> {
  process.stdout.write(`--seed ${seed} --count ${count}\n`);
  const createDatabase = await openDatabaseServer(resources);
  const stage = {
    profile: quickProfile,
    resources,
    createDatabase,
    say: (text: string) => process.stderr.write(`${text}\n`),
  };
  const world = await openWorld(stage, 'fuzz');
  const { answers, messages } = await fire(
    world,
    await Promise.all(modes.map((mode) => targetOf(world, mode))),
  );
  const stored = await storedRows(world.databaseUrl);
  const refused = [...answers].filter(([status]) => status !== 200);
  process.stdout.write(
    `${JSON.stringify({ answers: Object.fromEntries(answers), messages: messages.size, stored })}\n`,
  );
  return refused.length === 0 && stored === messages.size;
}

await runProgram(run);
