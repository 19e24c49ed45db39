import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { wechatHosts } from '../../../dist/emulator/index.js';

const here = join(import.meta.dirname, '..');
const minute = 60_000;

/** Copies a language's scripts out of the repository, so that nothing but their own packages is found. */
async function copySources(workspace, name) {
  const folder = join(workspace.folder, name);
  await cp(join(here, name), folder, { recursive: true });
  return folder;
}

/** Every client of a language: those of WeChat, then those of OpenID Connect. */
export function clientsOf({ clients, openidClients = [] }) {
  return [
    ...clients.map((client) => ({ client, protocol: 'wechat' })),
    ...openidClients.map((client) => ({ client, protocol: 'openid' })),
  ];
}

/** Node.js: a preload leads connections to the emulator, whatever its port. */
const node = {
  ownPort: true,
  clients: [
    'passport-wechat',
    'co-wechat-oauth',
    'co-wechat-api',
    'co-wechat',
    'better-auth',
    'auth-core',
    'logto-connector-wechat-web',
  ],
  openidClients: ['openid-client', 'oauth4webapi', 'passport-openidconnect', 'auth-core-oidc'],
  findLack: async () => undefined,
  async install({ workspace, certificateAuthority, address }) {
    const folder = await copySources(workspace, 'node');
    const flags = ['--prefer-offline', '--ignore-scripts', '--loglevel=error'];
    await workspace.run('npm', ['ci', ...flags], { cwd: folder });
    const redirect = pathToFileURL(join(folder, 'redirect.mjs')).href;
    const trust = { NODE_EXTRA_CA_CERTS: certificateAuthority, EMULATOR: address };
    return clientsOf(node).map(({ client: name, protocol }) => ({
      name,
      protocol,
      run: (env) =>
        workspace.run(process.execPath, ['--import', redirect, `${name}.mjs`], {
          cwd: folder,
          env: { ...trust, ...env },
          timeout: minute,
        }),
    }));
  },
};

/** Runs a program with an /etc/hosts of its own: the command, and what goes before its arguments. */
async function underOwnNames(workspace, address) {
  const hosts = join(workspace.folder, 'hosts');
  const { hostname } = new URL(`http://${address}`);
  await writeFile(hosts, `127.0.0.1 localhost\n${hostname} ${wechatHosts.join(' ')}\n`);
  return ['-m', 'sh', '-c', `mount --bind "${hosts}" /etc/hosts && exec "$@"`, 'sh'];
}

/** What this machine lacks for clients that always go to port 443 of WeChat's hosts. */
async function findLackOf(workspace, ...commands) {
  if (process.getuid?.() !== 0) return 'needs root, for port 443 and an /etc/hosts of its own';
  for (const [command, ...args] of [['unshare', '-m', 'true'], ...commands]) {
    const missing = await workspace.run(command, args, { timeout: minute }).then(
      () => false,
      () => true,
    );
    if (missing) return `${[command, ...args].join(' ')} does not run here`;
  }
  return undefined;
}

/** Programs that run under their own names, one per client. */
function programsOf(language, { workspace, prefix, folder, commandOf, trust }) {
  return clientsOf(language).map(({ client: name, protocol }) => ({
    name,
    protocol,
    run: (env) =>
      workspace.run('unshare', [...prefix, ...commandOf(name)], {
        cwd: folder,
        env: { ...trust, ...env },
        timeout: 2 * minute,
      }),
  }));
}

const python = {
  clients: ['wechatpy', 'werobot', 'django_allauth', 'social_auth'],
  openidClients: ['authlib', 'mozilla_django_oidc'],
  findLack: (workspace) => findLackOf(workspace, ['python3', '-m', 'venv', '--help']),
  async install({ workspace, certificateAuthority, address }) {
    const folder = await copySources(workspace, 'python');
    await workspace.run('python3', ['-m', 'venv', 'venv'], { cwd: folder });
    const interpreter = join(folder, 'venv/bin/python');
    await workspace.run(interpreter, ['-m', 'pip', 'install', '-q', '-r', 'requirements.txt'], {
      cwd: folder,
    });
    return programsOf(python, {
      workspace,
      prefix: await underOwnNames(workspace, address),
      folder,
      commandOf: (name) => [interpreter, `${name}_client.py`],
      trust: { REQUESTS_CA_BUNDLE: certificateAuthority, SSL_CERT_FILE: certificateAuthority },
    });
  },
};

const go = {
  clients: ['silenceper-wechat', 'PowerWeChat'],
  findLack: (workspace) => findLackOf(workspace, ['go', 'version']),
  async install({ workspace, certificateAuthority, address }) {
    const folder = await copySources(workspace, 'go');
    const env = { GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local' };
    await workspace.run('go', ['build', '-o', 'client', '.'], { cwd: folder, env });
    return programsOf(go, {
      workspace,
      prefix: await underOwnNames(workspace, address),
      folder,
      commandOf: (name) => ['./client', name],
      trust: { SSL_CERT_FILE: certificateAuthority },
    });
  },
};

const java = {
  clients: ['WxJavaMp', 'WxJavaOpen', 'WxJavaMiniapp', 'JustAuth'],
  openidClients: ['SpringSecurity'],
  findLack: (workspace) =>
    findLackOf(workspace, ['javac', '-version'], ['keytool', '-help'], ['mvn', '--version']),
  async install({ workspace, certificateAuthority, address }) {
    const folder = await copySources(workspace, 'java');
    const run = (command, ...args) => workspace.run(command, args, { cwd: folder });
    // Spring has a folder of its own: it logs by another library than WxJava.
    const compile = async (project, sources) => {
      const pom = ['-f', `${project}/pom.xml`];
      await run('mvn', '-q', '-B', ...pom, 'dependency:copy-dependencies', '-DoutputDirectory=lib');
      const flags = ['-encoding', 'UTF-8', '-sourcepath', '.', '-cp', `${project}/lib/*`];
      await run('javac', ...flags, '-d', `${project}/classes`, ...sources);
    };
    await compile(
      '.',
      java.clients.map((name) => `${name}.java`),
    );
    await compile(
      'spring',
      java.openidClients.map((name) => `spring/${name}.java`),
    );
    const classPathOf = (name) => {
      const project = java.openidClients.includes(name) ? 'spring' : '.';
      return `${project}/classes:${project}/lib/*`;
    };
    const trusted = ['-noprompt', '-alias', 'wechat', '-file', certificateAuthority];
    await run('keytool', '-importcert', ...trusted, '-keystore', 'trust.p12', '-storepass', 'changeit');
    const trust = ['-Djavax.net.ssl.trustStore=trust.p12', '-Djavax.net.ssl.trustStorePassword=changeit'];
    return programsOf(java, {
      workspace,
      prefix: await underOwnNames(workspace, address),
      folder,
      commandOf: (name) => ['java', '-Dfile.encoding=UTF-8', ...trust, '-cp', classPathOf(name), name],
      trust: {},
    });
  },
};

/** What can be tried, in the order of the table. */
export const languages = { node, python, go, java };
