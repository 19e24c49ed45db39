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
  // Not where a sign-in has just come back: without cookies it would go round for ever. Inside WeChat only by a tap: what asks
  // by itself is opened as a snapshot page, in which nobody can sign in.
  const isInWechat = /MicroMessenger/i.test(navigator.userAgent);
  if (signedOut.value === 'needed' && !isReturn && !isInWechat)
    await startSignIn('account', { returnTo: '' });
}

createApp(AccountPage).mount('#app');
void begin();
