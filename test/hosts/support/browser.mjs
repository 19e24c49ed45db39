import { CookieJar } from 'tough-cookie';

const pc =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36';

/** A PC browser with its own cookies that stops at every redirect. */
export class Browser {
  #jar = new CookieJar(undefined, { prefixSecurity: 'strict', allowSecureOnLocal: true });

  /** `form` and `json` make a POST. */
  async visit(address, { form, json, headers = {}, token, ...init } = {}) {
    const body = form === undefined ? JSON.stringify(json) : new URLSearchParams(form);
    const response = await fetch(address, {
      redirect: 'manual',
      ...(body === undefined ? {} : { method: 'POST', body }),
      headers: {
        'user-agent': pc,
        cookie: await this.#jar.getCookieString(String(address)),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...init,
    });
    for (const cookie of response.headers.getSetCookie()) await this.#jar.setCookie(cookie, String(address));
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    const location = response.headers.get('location');
    return {
      status: response.status,
      headers: response.headers,
      location: location === null ? null : new URL(location, address),
      body: isJson ? JSON.parse(text) : text,
    };
  }
}

/** A request of a browser that has not been here before. */
export const visit = (address, options) => new Browser().visit(address, options);
