import { bubble, button } from './elements.js';
import { codeOf, fetchJson, iam, IamClientError } from './iam.js';
import { currentLanguage, errorText, speak, text } from './language.js';
import { connectAccount, joinShop, memberByCookie, signInByPassword, signOutOfShop } from './shop.js';

const element = (id) => document.getElementById(id);
const [title, hint, choices, account] = ['title', 'hint', 'choices', 'account'].map(element);
const [newcomer, problem, waysOut] = ['newcomer', 'problem', 'ways-out'].map(element);

/** Failures after which the binding token is worth nothing: only another sign-in with WeChat helps. */
const endings = ['binding_token_invalid', 'identity_conflict', 'resume_failed'];

/**
 * `step`: start, choice, account, newcomer or already. `taken`: whose account has a WeChat already. `binding`: the token of a
 * sign-in that waits for an account.
 */
const view = {
  step: 'start',
  member: null,
  taken: null,
  failure: null,
  offer: null,
  demo: null,
  binding: null,
};
/** Begun at once: the code in the address is good for a minute. */
const returning = iam.finishSignIn().catch(takeFailure);

speak(() => {
  document.title = `${text('shop')} · ${text('membersPage')}`;
  if (view.demo === null) void load();
  else render();
});

async function load() {
  try {
    if (await returning) return location.replace('/signed-in');
    view.isSignedIn = (await iam.getAccessToken()) !== null;
    const headers = { 'accept-language': currentLanguage() };
    const asked = [fetchJson('/demo.json'), fetchJson('/iam/providers', { headers }), memberByCookie()];
    [view.demo, view.offer, view.member] = await Promise.all(asked);
  } catch {
    view.failure = 'offline';
    return render();
  }
  if (location.hostname === '127.0.0.1' && view.demo.publicUrl !== location.origin)
    return location.replace(`${view.demo.publicUrl}/members`);
  offerSamples();
  render();
}

function render() {
  const { step, failure, demo, offer } = view;
  problem.hidden = failure === null;
  if (failure !== null)
    problem.textContent = ['offline', 'insecure'].includes(failure) ? text(failure) : errorText(failure);
  choices.replaceChildren();
  waysOut.replaceChildren();
  const isStart = step === 'start';
  account.hidden =
    demo === null || !(step === 'account' || (isStart && view.member === null && !isSignedIn()));
  newcomer.hidden = step !== 'newcomer';
  element('or-password').hidden = !isStart;
  element('account-submit').textContent = text(isStart ? 'signInByPassword' : 'connect');
  element('account-submit').className = `button ${isStart ? 'quiet' : 'wechat'}`;
  title.textContent = text('membersPage');
  hint.textContent = '';
  if (demo === null) return;
  showPhoneLinks(demo, offer);
  steps[step]();
}

const isSignedIn = () => view.isSignedIn && view.binding === null;

function takeFailure(error) {
  view.binding = error.bindingToken ?? null;
  if (view.binding === null) view.failure = codeOf(error);
  else view.step = 'choice';
}

const steps = {
  start() {
    if (isSignedIn()) return welcomeBack();
    if (view.member !== null) return greet(view.member);
    hint.textContent = text(
      { wechat: 'hintMembersWechat', phone: 'hintMembersPhone' }[view.offer.browser] ?? 'hintMembersPc',
    );
    offerWechat();
  },
  choice() {
    title.textContent = text('choiceTitle');
    hint.textContent = text('choiceHint');
    choices.append(
      button(text('haveAccount'), 'wechat', () => go('account')),
      button(text('amNew'), 'quiet', () => go('newcomer')),
    );
    waysOut.append(button(text('giveUp'), 'link', giveUp));
  },
  account: () => askFor('haveAccount'),
  newcomer: () => askFor('amNew'),
  already() {
    title.textContent = text('alreadyTitle', { name: view.taken });
    hint.textContent = text('alreadyHint');
    choices.append(button(text('connectAnother'), 'quiet danger', () => connect(true)));
    waysOut.append(button(text('back'), 'link', () => go('choice')));
  },
};

function askFor(choice) {
  title.textContent = text(choice);
  hint.textContent = text(`${choice}Hint`);
  waysOut.append(button(text('back'), 'link', () => go('choice')));
}

function welcomeBack() {
  hint.textContent = text('already');
  choices.append(button(text('goOn'), 'wechat', () => location.assign('/signed-in')));
}

/** Signed in the old way. */
function greet({ name, has_wechat: hasWechat }) {
  title.textContent = `${text('hello')}${name}`;
  hint.textContent = `${text('byPassword')}${text(hasWechat ? 'isConnected' : 'notConnected')}`;
  if (!hasWechat) offerWechat('connectNow');
  waysOut.append(button(text('signOut'), 'link', () => act(signOut)));
}

function offerWechat(label) {
  const { browser, providers } = view.offer;
  const row = providers.find(({ slug }) => slug === view.demo.membersProvider);
  if (row === undefined) hint.textContent = text('noMembersRow');
  const method = row?.recommended ?? null;
  if (method === null || browser === 'phone') return;
  const choose = button(text(label ?? method), 'wechat', () => act(startWechat));
  Object.assign(choose.dataset, { provider: row.slug, method });
  choose.insertAdjacentHTML('afterbegin', bubble);
  choices.append(choose);
}

function go(step) {
  Object.assign(view, { step, failure: null });
  render();
  title.focus();
}

async function startWechat() {
  if (!isSecureContext) throw new IamClientError('insecure');
  location.assign(await iam.authorizeUrl({ provider: view.demo.membersProvider }));
}

function giveUp() {
  view.binding = null;
  go('start');
}

async function signOut() {
  await signOutOfShop();
  view.member = null;
}

const connect = (another) =>
  act(() =>
    connectAccount(Object.fromEntries(new FormData(account)), { another, bindingToken: view.binding }),
  );

/** Runs what a button or form does, once at a time, and shows the result or why there is none. */
async function act(work) {
  if (document.body.ariaBusy === 'true') return;
  document.body.ariaBusy = 'true';
  view.failure = null;
  try {
    await work();
  } catch (error) {
    fail(error);
  }
  document.body.ariaBusy = 'false';
  render();
}

function fail(error) {
  const code = codeOf(error);
  if (code === 'already_connected')
    return Object.assign(view, { step: 'already', taken: error.details.name });
  view.failure = code;
  if (!endings.includes(code)) return view.step === 'already' && (view.step = 'account');
  Object.assign(view, { step: 'start', binding: null });
}

account.addEventListener('submit', (event) => {
  event.preventDefault();
  if (view.step === 'account') return connect(false);
  void act(async () => {
    view.member = await signInByPassword(Object.fromEntries(new FormData(account)));
    account.reset();
  });
});
newcomer.addEventListener('submit', (event) => {
  event.preventDefault();
  void act(() => joinShop(new FormData(newcomer).get('name'), view.binding));
});

function offerSamples() {
  const fill = ({ login, password }) => {
    account.elements.login.value = login;
    account.elements.password.value = password;
  };
  const samples = view.demo.members.map((member) =>
    button(`${member.name} ${member.login} / ${member.password}`, 'plain', () => fill(member)),
  );
  element('samples').append(...samples);
}

function showPhoneLinks({ phone, publicUrl }, { browser }) {
  element('demo').hidden = phone === null || browser === 'wechat';
  if (phone === null) return;
  const inside = new URL(phone.inside);
  inside.searchParams.set('open', `${publicUrl}/members`);
  const links = { home: phone.home, inside: inside.href };
  for (const link of document.querySelectorAll('[data-phone]')) link.href = links[link.dataset.phone];
}
