import { startIamApp, type IamApp, type IamAppOptions } from './iam-app.js';

/** What `startReplicaProcess` sends to its child. */
export type ReplicaSettings = Pick<IamAppOptions, 'databaseUrl' | 'endpoints' | 'key' | 'options'>;

/** Entry of a child process: starts a host with the settings it is sent, answers with its address, ends with its parent. */
let running: Promise<IamApp> | undefined;

process.once('message', (settings: ReplicaSettings) => {
  running = startIamApp(settings);
  running.then(
    ({ url }) => process.send?.({ url }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.once('disconnect', () => {
  void Promise.resolve(running)
    .then((app) => app?.close())
    .finally(() => process.exit());
});
