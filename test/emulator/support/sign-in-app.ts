import type { ServerResponse } from 'node:http';
import type { Heard, Listener } from './listener.js';
import type { Stage } from './stage.js';

/**
 * An app as front-ends are written: a start page whose script makes a PKCE pair and leaves by location.assign, a callback that
 * sets a cookie and redirects, and a page whose script reads its own address, posts to a token endpoint and listens to events.
 */
export function signInApp({ wechat, oa, app }: Stage): (response: ServerResponse, heard: Heard) => void {
  const authorize = (redirect: string): string =>
    `${wechat.endpoints.open}/connect/oauth2/authorize?appid=${oa.appid}&redirect_uri=${encodeURIComponent(redirect)}&response_type=code&scope=snsapi_userinfo&state=s1`;
  const pages: Readonly<Record<string, (response: ServerResponse, heard: Heard) => void>> = {
    '/': (response) =>
      html(
        response,
        `<title>Start</title><button id="go">sign in</button><script>
        document.getElementById('go').onclick = async function () {
          var hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('verifier'));
          sessionStorage.setItem('challenge', String(new Uint8Array(hash)[0]));
          location.assign('/authorize?redirect_uri=' + encodeURIComponent(location.origin + '/signed-in'));
        };</script>`,
      ),
    '/authorize': (response, { url }) => {
      response.setHeader('set-cookie', [
        `back=${encodeURIComponent(url.searchParams.get('redirect_uri') ?? '')}; HttpOnly; Secure; SameSite=Lax; Path=/`,
      ]);
      response.writeHead(302, { location: authorize(`${app.origin}/callback`) }).end();
    },
    '/callback': (response, { url, headers }) => {
      const back = decodeURIComponent(/back=([^;]+)/.exec(headers.cookie ?? '')?.[1] ?? '');
      const iss = encodeURIComponent(app.origin);
      response
        .writeHead(303, { location: `${back}?code=app-${url.searchParams.get('code') ?? ''}&iss=${iss}` })
        .end();
    },
    '/signed-in': (response) =>
      html(
        response,
        `<title>Signed in</title><p>at ${app.origin}</p><p id="who"></p><p id="event"></p><form method="post" action="/confirm"><input name="answer" value="42"><button id="send">send</button></form><script>
        var asked = new URLSearchParams(location.search);
        history.replaceState(null, '', '/signed-in');
        fetch('/token', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({
          code: asked.get('code'), redirect_uri: location.origin + '/signed-in', verifier: sessionStorage.getItem('challenge')
        }) }).then(function (answer) { return answer.json(); }).then(function (token) {
          var same = token.iss === location.origin && asked.get('iss') === location.origin;
          document.getElementById('who').textContent = token.name + ' ' + same + ' ' + location.pathname + location.search;
        });
        new EventSource('/events').onmessage = function (event) { document.getElementById('event').textContent = event.data; };
        </script>`,
      ),
    '/token': (response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name: 'lan', iss: app.origin }));
    },
    '/events': (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: live\n\n');
    },
    '/confirm': (response, { body }) => html(response, `<title>Done</title><p id="done">${body}</p>`),
  };
  return (response, heard) =>
    (pages[heard.url.pathname] ?? ((missing) => missing.writeHead(404).end()))(response, heard);
}

/** The requests to one of the app's pages. */
export function heardAt(app: Listener, path: string): readonly Heard[] {
  return app.heard.filter(({ url }) => url.pathname === path);
}

function html(response: ServerResponse, page: string): void {
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.setHeader('x-frame-options', 'DENY');
  response.setHeader('content-security-policy', "frame-ancestors 'none'");
  response.end(`<!doctype html><html>${page}</html>`);
}
