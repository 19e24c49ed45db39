import '../shared/base.css';
import './element.css';
import './admin.css';
import '../shared/theme';
import { createApp } from 'vue';
import { toProblem } from '../shared/page';
import { finishSignIn, signInProblem } from '../shared/sign-in';
import { loadAccess } from './access';
import App from './App.vue';
import { router } from './router';

async function begin(): Promise<void> {
  const isReturn = new URLSearchParams(location.search).has('state');
  const returnTo = await finishSignIn().catch((error: unknown) => {
    signInProblem.value = toProblem(error);
    return null;
  });
  await loadAccess();
  const app = createApp(App);
  app.use(router);
  // The router has read the address before the response of the sign-in left it.
  if (isReturn) await router.replace(returnTo ?? '/');
  // A sign-in that is begun before this would return to "/": the view, which is loaded for itself, is no route yet.
  else await router.isReady().catch(() => undefined);
  app.mount('#app');
}

void begin();
