import { bubble, button } from './elements.js';
import { fetchJson, iam } from './iam.js';
import { speak, text } from './language.js';

const [hint, choices, problem] = ['hint', 'choices', 'problem'].map((id) => document.getElementById(id));

let demo;
let isSignedIn;

speak(() => {
  document.title = `${text('shop')} · ${text('signInPage')}`;
  void load();
});

async function load() {
  try {
    isSignedIn = (await iam.getAccessToken()) !== null;
    demo = await fetchJson('/demo.json');
  } catch {
    return showProblem('offline');
  }
  // Sign-ins return to the public address; this machine's other name would lose what waits in this tab.
  if (location.hostname === '127.0.0.1' && demo.publicUrl !== location.origin)
    return location.replace(demo.publicUrl);
  render();
}

function render() {
  const isInWechat = /MicroMessenger/i.test(navigator.userAgent);
  document.getElementById('demo').hidden = demo.phone === null || isInWechat;
  for (const link of document.querySelectorAll('[data-phone]')) link.href = demo.phone?.[link.dataset.phone];
  problem.hidden = true;
  hint.textContent = text(isSignedIn ? 'already' : 'hintSignIn');
  const go = isSignedIn
    ? button(text('goOn'), 'wechat', () => location.assign('/signed-in'))
    : button(text('signIn'), 'wechat', start);
  go.dataset.go = isSignedIn ? 'on' : 'sign-in';
  if (!isSignedIn) go.insertAdjacentHTML('afterbegin', bubble);
  choices.replaceChildren(go);
}

/** How to sign in is chosen on the page that `/iam/authorize` leads to, unless a link to the shop names the way (`/?provider=…`). */
async function start() {
  if (!isSecureContext) return showProblem('insecure');
  const named = new URLSearchParams(location.search);
  const way = ['provider', 'method'].filter((name) => named.has(name)).map((name) => [name, named.get(name)]);
  try {
    await iam.signIn(Object.fromEntries(way));
  } catch {
    showProblem('offline');
  }
}

function showProblem(key) {
  problem.textContent = text(key);
  problem.hidden = false;
}
