import { bubble, button } from './elements.js';
import { closeFollow, openFollow } from './follow.js';
import { currentLanguage, errorText, providerName, speak, text } from './language.js';
import { authorizeUrl, fetchJson, tokens } from './oauth.js';

const [hint, choices, embedded, follow, problem] = ['hint', 'choices', 'embedded', 'follow', 'problem'].map(
  (id) => document.getElementById(id),
);

let offer;
let demo;

speak(() => {
  document.title = `${text('shop')} · ${text('signInPage')}`;
  void load();
});

async function load() {
  try {
    [offer, demo] = await Promise.all([
      fetchJson('/iam/providers', { 'accept-language': currentLanguage() }),
      fetchJson('/demo.json'),
    ]);
  } catch {
    return showProblem(text('offline'));
  }
  // Sign-ins return to the public address; this machine's other name would lose what waits in this tab.
  if (location.hostname === '127.0.0.1' && demo.publicUrl !== location.origin)
    return location.replace(demo.publicUrl);
  render();
}

function render() {
  document.getElementById('demo').hidden = demo.phone === null || offer.browser === 'wechat';
  for (const link of document.querySelectorAll('[data-phone]')) link.href = demo.phone?.[link.dataset.phone];
  problem.hidden = true;
  choices.replaceChildren();
  closeShown();
  if (tokens() !== null) return welcomeBack();
  const others = offer.providers.filter(({ slug }) => slug !== demo.membersProvider);
  const usable = others.filter((provider) => provider.methods.length > 0);
  hint.textContent = text(offer.browser === 'wechat' ? 'hintWechat' : 'hintPc');
  if (usable.length > 0) return choices.append(...usable.map((provider) => way(provider, usable)));
  if (offer.browser === 'phone' && others.length > 0) return offerLink();
  hint.textContent = text('hintNone');
  const reason = others.find((provider) => provider.problem !== null)?.problem;
  if (reason) showProblem(reason.title);
}

function welcomeBack() {
  hint.textContent = text('already');
  const go = button(text('goOn'), 'wechat', () => location.assign('/signed-in'));
  choices.append(go);
}

/** The ways in that one provider offers; the first of the page is the one that stands out. */
function way(provider, all) {
  const { slug, methods, recommended } = provider;
  const block = document.createElement('section');
  block.className = 'way';
  if (all.length > 1) block.append(heading(providerName(provider)));
  for (const method of methods) {
    const isFirst = method === recommended && slug === all[0].slug;
    const choose = button(text(method), isFirst ? 'wechat' : 'quiet', () => start(slug, method));
    Object.assign(choose.dataset, { provider: slug, method });
    choose.insertAdjacentHTML('afterbegin', bubble);
    block.append(choose);
  }
  if (offer.browser === 'pc' && methods.includes('open')) {
    block.append(toggle('embed', slug, () => showWechatCode(block, slug)));
  }
  if (offer.browser === 'pc' && methods.includes('follow')) {
    block.append(toggle('embedFollow', slug, () => showFollowCode(block, slug)));
  }
  return block;
}

function heading(name) {
  const title = document.createElement('h3');
  title.textContent = name;
  return title;
}

/** Shows a QR code in the page, one at a time, and hides it again. */
function toggle(kind, slug, open) {
  const control = button(text(kind), 'link', async () => {
    const isOpen = control.ariaExpanded === 'true';
    closeShown();
    if (isOpen) return;
    control.ariaExpanded = 'true';
    control.textContent = text('unembed');
    await open();
  });
  control.ariaExpanded = 'false';
  Object.assign(control.dataset, { kind, [kind]: slug });
  return control;
}

function closeShown() {
  embedded.hidden = true;
  embedded.replaceChildren();
  closeFollow();
  for (const control of choices.querySelectorAll('[aria-expanded]')) {
    control.ariaExpanded = 'false';
    control.textContent = text(control.dataset.kind);
  }
}

async function showFollowCode(block, slug) {
  if (!isSecureContext) return showProblem(text('insecure'));
  block.append(follow);
  await openFollow(slug);
}

/** A phone browser outside WeChat cannot sign in: WeChat has to open the page. */
function offerLink() {
  hint.textContent = text('hintPhone');
  const box = document.createElement('div');
  box.className = 'link-box';
  const link = document.createElement('input');
  Object.assign(link, { value: location.href, readOnly: true, ariaLabel: text('link') });
  const copy = button(text('copy'), 'wechat', async () => {
    link.select();
    await navigator.clipboard.writeText(link.value).catch(() => document.execCommand('copy'));
    copy.textContent = text('copied');
  });
  box.append(link, copy);
  choices.append(box);
}

async function start(provider, method) {
  if (!isSecureContext) return showProblem(text('insecure'));
  try {
    location.assign(await authorizeUrl({ provider, method }));
  } catch {
    showProblem(text('offline'));
  }
}

let renewal;

/** WeChat's QR page in a frame, with the parameters that `new WxLogin({…})` would take; a new one before its attempt ends. */
async function showWechatCode(block, provider) {
  if (!isSecureContext) return showProblem(text('insecure'));
  try {
    const parameters = await fetchJson(await authorizeUrl({ provider, method: 'open', display: 'widget' }));
    const query = ['appid', 'scope', 'redirect_uri', 'state'].map((name) => `${name}=${parameters[name]}`);
    const frame = document.createElement('iframe');
    frame.title = text('frame');
    // Chrome lets a frame navigate its top window only with this permission.
    frame.sandbox = 'allow-scripts allow-same-origin allow-top-navigation';
    frame.src = `${demo.openUrl}/connect/qrconnect?${query.join('&')}&login_type=jssdk&self_redirect=default`;
    embedded.replaceChildren(frame);
    embedded.hidden = false;
    block.append(embedded);
    clearTimeout(renewal);
    renewal = setTimeout(() => showWechatCode(block, provider), (parameters.expires_in - 30) * 1000);
  } catch (error) {
    showProblem(errorText(error.code));
  }
}

function showProblem(message) {
  problem.textContent = message;
  problem.hidden = false;
}
