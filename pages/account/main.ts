import { createApp } from 'vue';
import '../shared/base.css';
import '../shared/plain.css';
import './account.css';
import '../shared/theme';
import { toProblem } from '../shared/page';
import { finishSignIn, startSignIn } from '../shared/sign-in';
import AccountPage from './AccountPage.vue';
import { load, signedOut } from './account';
import { finishLink, resume, signInProblem } from './actions';

async function begin(): Promise<void> {
  const isReturn = new URLSearchParams(location.search).has('state');
  if (!finishLink())
    await finishSignIn().catch((error: unknown) => {
      signInProblem.value = toProblem(error);
    });
  await load();
  resume();
  // Not where a sign-in has just come back: without cookies it would go round for ever.
  if (signedOut.value === 'needed' && !isReturn) await startSignIn('account', { returnTo: '' });
}

createApp(AccountPage).mount('#app');
void begin();
