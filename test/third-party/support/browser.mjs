/** Keeps the cookies of each origin by name; two servers of this machine share none. */
export class Tab {
  #jars = new Map();

  get(url) {
    return this.#send(url, {});
  }

  /** As the form of a page of the same site is sent. */
  post(url, form) {
    const headers = { origin: new URL(url).origin, 'sec-fetch-site': 'same-origin' };
    return this.#send(url, { method: 'POST', body: new URLSearchParams(form), headers });
  }

  async #send(url, init) {
    const jar = this.#jarOf(url);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...init.headers, cookie, accept: 'text/html,*/*;q=0.8' };
    const response = await fetch(url, { ...init, redirect: 'manual', headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined) jar.set(name, value);
      if (/;\s*max-age=0\b/i.test(line)) jar.delete(name);
    }
    return response;
  }

  #jarOf(url) {
    const { origin } = new URL(url);
    const jar = this.#jars.get(origin) ?? new Map();
    this.#jars.set(origin, jar);
    return jar;
  }
}

const longestWay = 14;
const consentPath = '/iam/consent';

/** Agrees on the page that asks whether a third party may know what it asks for. */
async function agree(tab, page) {
  const text = await page.text();
  const field = (name) => new RegExp(`name="${name}" value="([^"]+)"`).exec(text)?.[1] ?? '';
  return tab.post(new URL(page.url).origin + consentPath, {
    login: field('login'),
    csrf: field('csrf'),
    decision: 'confirm',
  });
}

/**
 * A PC's browser from a link to the last page; where WeChat shows its QR code, the phone scans and confirms. Says how often
 * that was, and how often the person agreed.
 */
export async function walk({ wechat, lan }, tab, start) {
  let url = start;
  let [scans, consents] = [0, 0];
  for (let step = 0; step < longestWay; step += 1) {
    if (new URL(url).pathname === '/connect/qrconnect') {
      const screen = await wechat.showQrCode(url);
      await lan.scan(screen.content);
      await lan.confirm();
      const { redirectTo } = await screen.finish();
      if (redirectTo === undefined) throw new Error('the QR page leads nowhere');
      url = redirectTo;
      scans += 1;
      continue;
    }
    let response = await tab.get(url);
    if (new URL(url).pathname === consentPath) {
      response = await agree(tab, response);
      consents += 1;
    }
    const location = response.headers.get('location');
    if (location === null)
      return { status: response.status, url, body: await response.text(), scans, consents };
    url = new URL(location, url).href;
  }
  throw new Error(`redirects without end: ${url}`);
}
