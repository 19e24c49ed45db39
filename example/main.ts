import { openApp } from './open-app.js';
import { readEnvironment } from './run/environment.js';
import { Interrupted, Lifetime } from './run/lifetime.js';
import { StartUpError } from './run/start-up.error.js';

const lifetime = new Lifetime((code) => process.exit(code));

/** Opens the shop and says when it serves. */
async function start(): Promise<void> {
  const environment = readEnvironment(process.env);
  const { publicUrl, adminToken, phone } = await openApp(environment, lifetime);
  lifetime.startCompleted();
  if (phone !== null) console.error(`The emulator's phone, to scan and confirm with: ${phone.home}`);
  const shown = environment.adminToken === undefined ? adminToken : 'IAM_ADMIN_TOKEN';
  console.error(`The administration ${publicUrl}/iam/ui/admin opens with: ${shown}`);
  console.log(`ready ${publicUrl}`);
}

start().catch(async (error: unknown) => {
  if (error instanceof StartUpError || error instanceof TypeError) console.error(error.message);
  else if (!(error instanceof Interrupted)) console.error(error);
  await lifetime.close();
  process.exit(error instanceof Interrupted ? 0 : 1);
});
