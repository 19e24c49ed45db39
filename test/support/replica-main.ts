import type { CrowdedHost } from './crowded-host.js';
import { startIamApp, type IamApp, type IamAppOptions } from './iam-app.js';

/** What `startReplicaProcess` sends to its child. */
export type ReplicaSettings = Pick<IamAppOptions, 'databaseUrl' | 'endpoints' | 'key' | 'options'> & {
  readonly crowded?: CrowdedHost;
};

/** Entry of a child process: starts a host with the settings it is sent, answers with its address, ends with its parent. */
let running: Promise<IamApp> | undefined;

async function start({ crowded, ...settings }: ReplicaSettings): Promise<IamApp> {
  if (crowded === undefined) return startIamApp(settings);
  const { crowdedHost } = await import('./crowded-host.js');
  return startIamApp({ ...settings, ...crowdedHost(crowded) });
}

process.once('message', (settings: ReplicaSettings) => {
  running = start(settings);
  running.then(
    ({ url }) => process.send?.({ url }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.once('disconnect', () => {
  void Promise.resolve(running)
    .then((app) => app?.close())
    .then(
      () => process.exit(),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`, () => process.exit(1));
      },
    );
});
