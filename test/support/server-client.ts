import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import type { AdminClient } from './admin.js';
import { PcBrowser, type Reply } from './pc-browser.js';

/** A key pair of a server. */
export interface ServerKey {
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK & { readonly kid: string };
}

/** Makes a key pair. */
export async function serverKey(alg = 'ES256', kid: string = randomUUID()): Promise<ServerKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  return { alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid } };
}

/** The parameters of `private_key_jwt`; a claim that is undefined is left out. */
export async function proof(
  id: string,
  aud: string,
  { alg, privateKey, jwk }: ServerKey,
  changes: JWTPayload = {},
): Promise<Record<string, string>> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: id, sub: id, aud, iat: now, exp: now + 60, jti: randomUUID(), ...changes };
  const client_assertion = await new SignJWT(claims)
    .setProtectedHeader({ alg, kid: jwk.kid })
    .sign(privateKey);
  return proofOf(client_assertion);
}

/** The parameters of `private_key_jwt` with this JWT. */
export function proofOf(client_assertion: string): Record<string, string> {
  const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
  return { client_assertion_type, client_assertion };
}

/** `Authorization: Basic`, as RFC 6749 §2.3.1 writes it. */
export function basic(id: string, secret: string): { readonly authorization: string } {
  const pair = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Registers an application with a secret, a confidential one unless `members` say otherwise. */
export async function addServer(
  admin: AdminClient,
  members: Readonly<Record<string, unknown>> & { readonly id?: string },
): Promise<{ readonly id: string; readonly secret: string }> {
  const { id = `server-${randomUUID()}`, ...others } = members;
  const created = await admin.post('clients', { id, type: 'confidential', ...others });
  if (created.status !== 201) throw new Error(created.text);
  const rotated = await admin.post(`clients/${id}/rotate`, {}, '*');
  return { id, secret: String(rotated.json()['secret']) };
}

/** A request of a server to an endpoint of ours. */
export function post(
  url: string,
  form: Readonly<Record<string, string>> | URLSearchParams,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return new PcBrowser().visit(url, { form, headers: { accept: 'application/json', ...headers } });
}

/** Status, `error` and `code` of a refusal. */
export function refusalOf(reply: Reply): unknown[] {
  const { error, code } = reply.json();
  return [reply.status, error, code];
}

/** A server at which an application publishes its keys. */
export interface KeyServer {
  readonly url: string;
  /** How often it was asked. */
  readonly asked: () => number;
  /** What it responds with from now on. */
  respond(body: string, status?: number): void;
  close(): Promise<void>;
}

/** Starts it on a free port of this machine. */
export async function startKeyServer(): Promise<KeyServer> {
  let response = { status: 404, body: '' };
  let asked = 0;
  const server = createServer((_request, reply) => {
    asked += 1;
    reply.writeHead(response.status, { location: '/elsewhere' }).end(response.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}/keys`,
    asked: () => asked,
    respond: (body, status = 200) => {
      response = { status, body };
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
