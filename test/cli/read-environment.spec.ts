import { randomBytes } from 'node:crypto';
import { Environment } from '../../cli/environment.js';
import { EnvironmentError } from '../../cli/errors.js';

const key = randomBytes(32).toString('base64');
const publicUrl = 'https://app.example.com';
const optionsOf = (values: Record<string, string>) =>
  new Environment(values).options({ needsPublicUrl: true });

describe('the environment of a command', () => {
  it('becomes the options of the module', () => {
    const other = randomBytes(32).toString('base64');

    const options = optionsOf({ IAM_KEYS: ` ${key}, ${other} `, PUBLIC_URL: publicUrl, IAM_PATH: 'api/iam' });

    expect(options.keyRing.ids).toHaveLength(2);
    expect(options.publicUrl).toBe(publicUrl);
    expect(options.path).toBe('api/iam');
    expect(options.wechat).toMatchObject({
      allowLoopback: false,
      endpoints: { api: 'https://api.weixin.qq.com' },
    });
    expect(options.tokens.accessToken).toBe(3600);
  });

  it('takes the one key of an application by its usual name', () => {
    const { keyRing } = optionsOf({ IAM_KEY: key, PUBLIC_URL: publicUrl });

    expect(keyRing.ids).toEqual(optionsOf({ IAM_KEYS: key, PUBLIC_URL: publicUrl }).keyRing.ids);
  });

  it('takes an emulator on this machine, also for an https address', () => {
    const emulator = { WECHAT_API_URL: 'http://127.0.0.1:3001', WECHAT_OPEN_URL: 'http://127.0.0.1:3001' };

    const { wechat } = optionsOf({ IAM_KEY: key, PUBLIC_URL: publicUrl, ...emulator });

    expect(wechat.endpoints).toMatchObject({ api: 'http://127.0.0.1:3001', mp: 'https://mp.weixin.qq.com' });
  });

  it.each([
    ['DATABASE_URL', {}, 'is not set'],
    ['DATABASE_URL', { DATABASE_URL: 'not-a-url-s3cret' }, 'expected'],
    ['DATABASE_URL', { DATABASE_URL: 'mysql://root:s3cret@localhost/app' }, 'expected'],
    ['IAM_KEYS', { DATABASE_URL: 'postgres://localhost/app' }, 'is not set'],
    ['IAM_KEYS', { IAM_KEYS: 's3cret', PUBLIC_URL: publicUrl }, '32 random bytes'],
    ['IAM_KEYS', { IAM_KEYS: `${key},s3cret`, PUBLIC_URL: publicUrl }, '32 random bytes'],
    ['PUBLIC_URL', { IAM_KEYS: key }, 'is not set'],
    ['PUBLIC_URL', { IAM_KEYS: key, PUBLIC_URL: 's3cret' }, 'absolute'],
    ['IAM_PATH', { IAM_KEYS: key, PUBLIC_URL: publicUrl, IAM_PATH: '/?s3cret' }, 'a path'],
    ['WECHAT_API_URL', { IAM_KEYS: key, PUBLIC_URL: publicUrl, WECHAT_API_URL: 'ftp://s3cret' }, 'https'],
    ['WECHAT_MP_URL', { IAM_KEYS: key, PUBLIC_URL: publicUrl, WECHAT_MP_URL: 's3cret' }, 'absolute URL'],
  ])('names %s, and what was expected, and quotes nothing: %j', (name, values, expected) => {
    const environment = new Environment({ DATABASE_URL: 'postgres://localhost/app', ...values });
    const read = () => [
      name === 'DATABASE_URL' ? new Environment(values).databaseUrl : environment.databaseUrl,
      environment.options({ needsPublicUrl: true }),
    ];

    expect(read).toThrow(EnvironmentError);
    expect(read).toThrow(new RegExp(`^${name}.*${expected}`));
    expect(read).not.toThrow(/s3cret/);
  });

  it('knows what must not be seen in any output', () => {
    const environment = new Environment({
      DATABASE_URL: 'postgres://app:p%40ssword@localhost/app',
      IAM_KEYS: `${key},${key}`,
    });

    expect(environment.secrets).toEqual(expect.arrayContaining(['p%40ssword', 'p@ssword', key]));
  });
});
