import { exampleOf } from '../docs/pages.js';
import { exampleFile, type Pages } from './storefront.js';
import type { Tab } from './tab.js';

/** A front-end of one page to start a sign-in and one where it returns; both belong to a `Storefront`. */
export interface FrontEnd {
  readonly name: string;
  readonly pages: Pages;
  /** Where its sign-ins return. */
  readonly returnPath: string;
  /** The selector of the button that starts. */
  readonly start: string;
  /** Who is signed in by the page that the tab shows, once it knows. */
  readonly who: (tab: Tab) => Promise<string>;
  /** What the page says of the sign-in that it was to finish. */
  readonly problem: (tab: Tab) => Promise<string>;
}

/** Sends a token request twice when the tab is told how many milliseconds apart; `repeated` tells what became of it. */
const sendTwice = `
const gap = sessionStorage.getItem('gap');
const send = window.fetch;
window.fetch = (address, init) => {
  const isRepeated = gap !== null && String(address).endsWith('/iam/token');
  if (isRepeated) window.repeated = new Promise((resolve) => setTimeout(resolve, gap)).then(() => send(address, init)).then(({ status }) => status);
  return send(address, init);
};`;

const startPage = `<!doctype html><title>shop</title><h1 id="shop">The shop</h1><button id="sign-in">Sign in</button>
<script type="module">
  import { signIn } from '/front-end.js';
  document.querySelector('#sign-in').onclick = () => signIn('wechat');
</script>`;

/** As an application would call the functions: it keeps the tokens, unless they are in cookies, and says whose they are. */
const returnPage = `<!doctype html><title>signed in</title><p id="who"></p><p id="problem"></p>
<script src="/send-twice.js"></script>
<script type="module">
  import { finishSignIn } from '/front-end.js';
  const say = (id, text) => { document.querySelector(id).textContent = text; };
  if (location.search !== '') {
    const answer = await finishSignIn().catch(({ message }) => ({ error: message }));
    if (answer.error) say('#problem', answer.error);
    else if (answer.access_token) sessionStorage.setItem('tokens', JSON.stringify(answer));
  }
  const tokens = JSON.parse(sessionStorage.getItem('tokens'));
  const headers = tokens === null ? {} : { authorization: 'Bearer ' + tokens.access_token };
  const me = await fetch('/iam/me', { headers });
  say('#who', me.ok ? (await me.json()).nickname : 'nobody');
</script>`;

const readme = exampleOf('docs/guides/front-end.md', 'front-end').code;

/** A front-end made of the README's two functions. */
function readmeFrontEnd(name: string, code: string, returnPath = '/signed-in'): FrontEnd {
  return {
    name,
    returnPath,
    pages: {
      '/': startPage,
      [returnPath]: returnPage,
      '/front-end.js': code,
      '/send-twice.js': sendTwice,
    },
    start: '#sign-in',
    who: (tab) => tab.text('#who'),
    problem: (tab) => tab.text('#problem'),
  };
}

/** The README's code as it is. */
export const bearerFrontEnd = readmeFrontEnd('the README’s two functions', readme);

/** The README's code for another client. */
export const cookieFrontEnd = readmeFrontEnd(
  'a cookie client',
  readme.replaceAll("'web'", "'shop'").replaceAll('/signed-in', '/kept'),
  '/kept',
);

/** What the README warns of: the code stays in the address and the verifier in the tab. */
export const forgetfulFrontEnd = readmeFrontEnd(
  'a front-end that keeps code and verifier',
  readme.replace(/^ {2}(sessionStorage\.removeItem|history\.replaceState)\(.*\n/gm, ''),
);

/** The example's pages, beside a server that has none but the module. */
export async function exampleFrontEnd(url: string): Promise<FrontEnd> {
  const demo = { publicUrl: url, phone: null, members: [], membersProvider: 'members' };
  const signedIn = await exampleFile('/signed-in.html');
  const home = await exampleFile('/index.html');
  return {
    name: 'the example',
    returnPath: '/signed-in',
    pages: {
      '/': home.replace(
        '<head>',
        `<head><script>history.replaceState(null, '', '/?provider=wechat')</script>`,
      ),
      '/signed-in': signedIn.replace('<head>', '<head><script src="/send-twice.js"></script>'),
      '/send-twice.js': sendTwice,
      '/demo.json': JSON.stringify(demo),
      '/orders': '[]',
    },
    start: '[data-go=sign-in]',
    who: (tab) => tab.text('#nickname'),
    problem: (tab) => tab.text('#reason-code'),
  };
}
