import { createApp } from 'vue';
import '../shared/base.css';
import '../shared/plain.css';
import './account.css';
import '../shared/theme';
import { finishSignIn, signInProblem, startSignIn } from '../shared/sign-in';
import AccountPage from './AccountPage.vue';
import { iam, leave, linked, load, signedOut } from './account';
import { resume, tellLinked } from './actions';

async function begin(): Promise<void> {
  const returned = linked ?? (await finishSignIn(iam));
  if (linked !== null) tellLinked(linked);
  // People sign in and out of the browser in other tabs too, also while this one reads.
  iam.onChange((isSignedIn) => {
    if (isSignedIn) void load();
    else leave('needed');
  });
  await load();
  resume();
  // Not where a sign-in has just come back: without cookies it would go round for ever. Inside WeChat only by a tap: what asks
  // by itself is opened as a snapshot page, in which nobody can sign in.
  const isReturn = returned !== null || signInProblem.value !== null;
  const isInWechat = /MicroMessenger/i.test(navigator.userAgent);
  if (signedOut.value === 'needed' && !isReturn && !isInWechat) await startSignIn(iam);
}

createApp(AccountPage).mount('#app');
void begin();
