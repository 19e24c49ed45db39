import '../shared/base.css';
import './element.css';
import './admin.css';
import '../shared/theme';
import { createApp } from 'vue';
import { finishSignIn } from '../shared/sign-in';
import { followTabs, iam, loadAccess } from './access';
import App from './App.vue';
import { router } from './router';

async function begin(): Promise<void> {
  const returned = await finishSignIn(iam);
  followTabs();
  await loadAccess();
  const app = createApp(App);
  app.use(router);
  if (returned !== null) await router.replace(returned.returnTo ?? '/');
  // A sign-in that is begun before this would return to "/": the view, which is loaded for itself, is no route yet.
  else await router.isReady().catch(() => undefined);
  app.mount('#app');
}

void begin();
