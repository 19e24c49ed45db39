import { webcrypto } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { wechatHosts } from './host-names.js';

/** How the emulator answers TLS. */
export interface TlsOptions {
  /**
   * Where its certificate authority is kept: `ca.pem`, which clients trust, and `ca-key.pem`. Made when missing, so that trust
   * survives a restart. @default a new authority for each start, in memory
   */
  readonly directory?: string;
}

/** What a TLS server needs, and what its clients have to trust; all PEM. */
export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

interface Authority {
  readonly ca: string;
  readonly key: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const years = (count: number): Date => new Date(Date.now() + count * 365 * 86_400_000);

/** A certificate for WeChat's hosts and the names of this machine. @throws Error when @peculiar/x509 is not installed */
export async function serverCertificate({ directory }: TlsOptions): Promise<ServerCertificate> {
  const x509 = await loadX509();
  const authority = directory === undefined ? await createAuthority() : await keptAuthority(directory);
  const issuer = new x509.X509Certificate(authority.ca);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=WeChat platform emulator',
    issuer: issuer.subject,
    notBefore: years(-0.01),
    notAfter: years(1),
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...[...wechatHosts, 'localhost', '*.phone.localhost'].map((value) => ({
          type: 'dns' as const,
          value,
        })),
        ...['127.0.0.1', '::1'].map((value) => ({ type: 'ip' as const, value })),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { key: await exportKey(keys.privateKey), cert: certificate.toString('pem'), ca: authority.ca };
}

async function keptAuthority(directory: string): Promise<Authority> {
  const [caFile, keyFile] = [join(directory, 'ca.pem'), join(directory, 'ca-key.pem')];
  const kept = await Promise.all([readFile(caFile, 'utf8'), readFile(keyFile, 'utf8')]).catch(
    (error: unknown) => {
      if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT')
        return null;
      throw error;
    },
  );
  if (kept !== null) return { ca: kept[0], key: kept[1] };
  const made = await createAuthority();
  await mkdir(directory, { recursive: true });
  await writeFile(keyFile, made.key, { mode: 0o600 });
  await writeFile(caFile, made.ca);
  return made;
}

async function createAuthority(): Promise<Authority> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=WeChat platform emulator (for tests only)',
    notBefore: years(-0.01),
    notAfter: years(10),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { ca: certificate.toString('pem'), key: await exportKey(keys.privateKey) };
}

/** An optional package: only a few need TLS here. It does not load before `reflect-metadata`. */
async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  try {
    await import('reflect-metadata');
    return await import('@peculiar/x509');
  } catch (cause) {
    throw new Error('TLS needs the package @peculiar/x509: npm install --save-dev @peculiar/x509', { cause });
  }
}

/** A positive number, as RFC 5280 §4.1.2.2 asks. */
function serialNumber(): string {
  return `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}
