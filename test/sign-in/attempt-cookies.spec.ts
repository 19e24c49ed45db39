import { createHmac, hkdfSync } from 'node:crypto';
import { parse } from 'cookie';
import { resolveOptions, resolveStatics } from '../../src/config/iam.resolved-options.js';
import { sha256 } from '../../src/crypto/hash.js';
import { KeyRing, Mac } from '../../src/crypto/key-ring.js';
import { Sealer } from '../../src/crypto/sealer.js';
import { type Attempt, AttemptCookies } from '../../src/sign-in/attempt-cookies.service.js';
import { PageCookies, scannerProof } from '../../src/sign-in/page-cookies.service.js';
import { Clock } from '../../src/runtime/clock.js';
import { mintLoginToken, readLoginToken } from '../../src/sign-in/login.js';

const key = Buffer.alloc(32, 5);

const optionsAt = (publicUrl: string, keys = [key]) =>
  resolveOptions(
    {
      publicUrl,
      keys: keys.map((each) => each.toString('base64')),
      clients: [{ id: 'web', redirectUris: [`${publicUrl}/`] }],
    },
    resolveStatics({}),
  );
const cookiesAt = (publicUrl: string, keys = [key]) => new AttemptCookies(optionsAt(publicUrl, keys));

const cookies = cookiesAt('https://app.example.com');

const attemptOf = (state: string, changes: Partial<Attempt> = {}): Attempt => ({
  state,
  provider: 'wechat',
  method: 'open',
  appid: 'wx1',
  clientId: 'web',
  redirectUri: 'https://app.example.com/',
  codeChallenge: 'c'.repeat(43),
  startedAt: 1_700_000_000_000,
  ...changes,
});

const nameOf = (state: string) => `__Host-iam-login-${sha256(state).slice(0, 16)}`;

/** What a browser has after these `Set-Cookie` values. */
const jarOf = (headers: readonly string[]): Record<string, string | undefined> =>
  parse(headers.map((header) => header.split(';')[0]).join('; '));

const started = (state: string, changes: Partial<Attempt> = {}) =>
  jarOf(cookies.start(attemptOf(state, changes), {}));

describe('the cookies of the pages of phones', () => {
  const phone = new PageCookies(optionsAt('https://app.example.com'), new Clock());
  const prove = (loginId: string, present: Record<string, string | undefined>, nickname = '') => {
    const subject = {
      provider: 'wechat',
      appKind: 'mp',
      appid: 'wx1',
      openid: 'o1',
      unionScope: 'default',
      unionid: null,
      profile: { nickname, avatarUrl: null },
    } as const;
    const proof = { loginId, openid: 'o1', subject };
    const set = phone.keep(scannerProof, proof, { key: loginId, present });
    const jar = { ...present, ...jarOf(set) };
    return Object.fromEntries(Object.entries(jar).filter(([, value]) => value !== ''));
  };
  const kept = (jar: Record<string, string | undefined>) =>
    ['one', 'two', 'three', 'four', 'five'].filter(
      (loginId) => phone.find(scannerProof, loginId, jar) !== null,
    );

  it('are the newest of their kind, and together no longer than a header', () => {
    let [short, long]: Record<string, string | undefined>[] = [{}, {}];
    for (const loginId of ['one', 'two', 'three', 'four', 'five']) {
      short = prove(loginId, short ?? {});
      long = prove(loginId, long ?? {}, '长'.repeat(500));
    }

    expect(kept(short ?? {})).toEqual(['two', 'three', 'four', 'five']);
    expect(kept(long ?? {})).toEqual(['four', 'five']);
  });
});

describe('the cookies of sign-in attempts', () => {
  it('are sealed, marked and of one host', () => {
    const [header = '', ...others] = cookies.start(attemptOf('stateA'), {});
    const macKey = Buffer.from(hkdfSync('sha256', key, '', 'nestjs-wechat-iam/mac/attempt-mark', 32));
    const mark = createHmac('sha256', macKey).update(sha256('stateA')).digest('base64url');
    const value = jarOf([header])[nameOf('stateA')] ?? '';

    expect(others).toEqual([]);
    expect(header.split('; ').slice(1).sort()).toEqual([
      'HttpOnly',
      'Max-Age=4200',
      'Path=/',
      'SameSite=Lax',
      'Secure',
    ]);
    expect(value.startsWith(`1700000000000~${mark}.sealed:v1:`)).toBe(true);
    expect(
      new Sealer(new KeyRing([key]), 'login-attempt').open(value.slice(value.indexOf('.') + 1), 'stateA'),
    ).toBe(JSON.stringify(attemptOf('stateA')));
  });

  it('are called otherwise where there is no https', () => {
    const local = cookiesAt('http://localhost:3000');
    const [header = ''] = local.start(attemptOf('stateA'), {});

    expect(header.startsWith(`iam-login-${sha256('stateA').slice(0, 16)}=`)).toBe(true);
    expect(header).not.toContain('Secure');
    expect(local.find('stateA', jarOf([header]))).toEqual(attemptOf('stateA'));
  });

  it('give their attempt to its state alone', () => {
    const jar = started('stateA', { link: { userId: 'u', sessionId: 's' }, followLoginId: 'f' });

    expect(cookies.find('stateA', jar)).toEqual(
      attemptOf('stateA', { link: { userId: 'u', sessionId: 's' }, followLoginId: 'f' }),
    );
    expect(cookies.find('stateB', jar)).toBeNull();
    expect(cookies.find('stateB', { [nameOf('stateB')]: jar[nameOf('stateA')] })).toBeNull();
    expect(cookies.find('stateA', { [nameOf('stateA')]: 'nothing of ours' })).toBeNull();
    expect(cookies.find('stateA', {})).toBeNull();
  });

  it.each([
    ['an attempt with a part missing', 'stateA', JSON.stringify({ state: 'stateA' }), null],
    ['what is no JSON', 'stateA', '{', null],
    ['its own attempt', 'stateA', JSON.stringify(attemptOf('stateA')), attemptOf('stateA')],
  ])('take from under a seal that is right: %s', (_what, state, text, expected) => {
    const sealer = new Sealer(new KeyRing([key]), 'login-attempt');

    expect(cookies.find(state, { [nameOf(state)]: `7~x.${sealer.seal(text, state)}` })).toEqual(expected);
  });

  it('do not hide a failure that is none of the cookie’s', () => {
    const jar = started('stateA');
    const opened = jest.spyOn(Sealer.prototype, 'open').mockImplementation(() => {
      throw new RangeError('no memory');
    });

    expect(() => cookies.find('stateA', jar)).toThrow(new RangeError('no memory'));
    opened.mockRestore();
  });

  it('prove by their mark which browser has the attempt', () => {
    const jar = started('stateA');
    const value = jar[nameOf('stateA')] ?? '';
    const holds = (changed: string) => cookies.holds(sha256('stateA'), { [nameOf('stateA')]: changed });

    expect(holds(value)).toBe(true);
    expect(holds(value.replace(/sealed.*/, ''))).toBe(true);
    expect(holds(`x${value}`)).toBe(false);
    expect(holds(value.replace('~', '~A'))).toBe(false);
    expect(holds(value.replace('.', 'A'))).toBe(false);
    expect(holds('')).toBe(false);
    expect(cookies.holds(sha256('stateA'), {})).toBe(false);
    expect(cookies.holds(sha256('stateB'), { [nameOf('stateB')]: value })).toBe(false);
  });

  it('stay for a minute after the outcome, or as long as a binding token lives', () => {
    const jar = started('stateA');
    const kept = `${nameOf('stateA')}=${encodeURIComponent(jar[nameOf('stateA')] ?? '')}`;

    expect(cookies.finish('stateA', jar)).toEqual([
      `${kept}; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax`,
    ]);
    expect(cookies.finishForBinding('stateA', jar)).toEqual([
      `${kept}; Max-Age=720; Path=/; HttpOnly; Secure; SameSite=Lax`,
    ]);
    expect(cookies.finish('stateB', {})).toEqual([
      `${nameOf('stateB')}=; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax`,
    ]);
  });

  it('are at most five, the newest', () => {
    const present = Object.fromEntries(
      [3, 1, 5, 2, 4].map((age) => [`__Host-iam-login-${age}`, `${1_700_000_000_000 - age}~x.y`]),
    );

    const dropped = cookies
      .start(attemptOf('stateA'), { ...present, session: 'kept', 'iam-login-0': '9~x.y' })
      .slice(1);

    expect(dropped).toEqual(['__Host-iam-login-5=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax']);
  });

  it('take those without a time for the oldest, and the later of two of one time for the newer', () => {
    const present = {
      '__Host-iam-login-none': 'x',
      '__Host-iam-login-a': '7~x.y',
      '__Host-iam-login-b': '7~x.y',
      '__Host-iam-login-c': '7~x.y',
      '__Host-iam-login-d': '7~x.y',
      '__Host-iam-login-e': '7~x.y',
      '__Host-iam-login-empty': '',
    };

    expect(
      cookies
        .start(attemptOf('stateA'), present)
        .slice(1)
        .map((header) => header.split('=')[0]),
    ).toEqual(['__Host-iam-login-a', '__Host-iam-login-empty', '__Host-iam-login-none']);
  });

  it('take no more than 6 KiB together', () => {
    const [first = ''] = cookies.start(attemptOf('stateA'), {});
    const room = 6_144 - first.length - '__Host-iam-login-1'.length;
    const dropped = (length: number) =>
      cookies.start(attemptOf('stateA'), { '__Host-iam-login-1': '1'.padEnd(length, '~') }).length - 1;

    expect([dropped(room), dropped(room + 1)]).toEqual([0, 1]);
  });

  it('are refused when the state of the client makes one too long for a browser', () => {
    const lengthWith = (length: number, startedAt: number) =>
      cookies.start(attemptOf('stateA', { clientState: 's'.repeat(length), startedAt }), {})[0]?.length ?? 0;
    // A byte more of the attempt is one or two of base64; a digit more of the time is one beside it as well.
    const lengths = [1, 10, 100, 1_000].flatMap((startedAt) => {
      const nearly = Math.floor((4_080 - lengthWith(0, startedAt)) * 0.75);
      return Array.from({ length: 20 }, (_, more) => {
        try {
          return lengthWith(nearly + more, startedAt);
        } catch (error) {
          return String(error);
        }
      });
    });

    expect(lengths).toContain(4_096);
    expect(new Set(lengths.filter((length) => typeof length === 'string' || length > 4_096))).toEqual(
      new Set(['IamError: invalid_request: state: too long for a cookie']),
    );
  });
});

describe('a login token', () => {
  const mac = new Mac(new KeyRing([key]), 'login-code');
  const loginId = '01890a5d-ac96-774b-bcce-b302099a8057';
  const token = mintLoginToken(mac, loginId);

  it('is the key, the login and the MAC over it', () => {
    expect(token).toBe(`${mac.keyId}.${loginId}.${mac.sign(loginId)}`);
    expect(readLoginToken(mac, token)).toBe(loginId);
  });

  it.each([
    ['of another purpose', () => mintLoginToken(new Mac(new KeyRing([key]), 'binding-token'), loginId)],
    [
      'of a key that is gone',
      () => mintLoginToken(new Mac(new KeyRing([Buffer.alloc(32, 6)]), 'login-code'), loginId),
    ],
    ['for another login', () => token.replace('01890a5d', '01890a5e')],
    ['with something before it', () => `x${token}`],
    ['with something behind it', () => `${token}x`],
    ['without its tag', () => token.slice(0, -43)],
    ['that is empty', () => ''],
    ['without a point', () => token.replaceAll('.', '')],
    ['with a point more', () => token.replace('.', '..')],
  ])('is not read from one %s', (_what, text) => {
    expect(readLoginToken(mac, text())).toBeNull();
  });
});
