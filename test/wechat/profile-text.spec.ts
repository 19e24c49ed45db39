import { cleanAvatarUrl, cleanNickname } from '../../src/wechat/profile-text.js';

describe('cleanNickname', () => {
  it.each([
    ['小兰', '小兰'],
    ['👨‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿🇨🇳', '👨‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿🇨🇳'],
    ['<b>&"\'', '<b>&"\''],
    ['=cmd()', '=cmd()'],
    ['a\u0000b\r\nc\td', 'abcd'],
    ['a\u202eb\u2066c\u2069d\u200fe\u200ef\u2028g\u2029h', 'abcdefgh'],
    ['a\ud83db\udc00c', 'abc'],
    ['  spaced  ', 'spaced'],
    ['微信用户', '微信用户'],
  ])('makes %j into %j', (nickname, expected) => {
    expect(cleanNickname(nickname)).toBe(expected);
  });

  it.each(['', '   ', '\u0000\u202e', '\u200b', null, undefined, 42, ['a'], { a: 1 }])(
    'finds nothing in %j',
    (nickname) => {
      expect(cleanNickname(nickname)).toBeNull();
    },
  );

  it('keeps 64 visible characters of a long one', () => {
    expect(cleanNickname('兰'.repeat(100))).toBe('兰'.repeat(64));
    expect(cleanNickname('👍🏽'.repeat(100))).toBe('👍🏽'.repeat(64));
  });

  it('takes 1 MB of anything in a moment', () => {
    const startedAt = performance.now();

    expect(cleanNickname('x'.repeat(1_000_000))).toBe('x'.repeat(64));
    expect((cleanNickname('👨‍👩‍👧‍👦'.repeat(100_000)) ?? '').length).toBeLessThanOrEqual(512);
    expect((cleanNickname(`a${'\u0301'.repeat(1_000_000)}`) ?? '').length).toBeLessThanOrEqual(512);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

describe('cleanAvatarUrl', () => {
  it.each([
    ['https://thirdwx.qlogo.cn/mmopen/vi_32/x/132', 'https://thirdwx.qlogo.cn/mmopen/vi_32/x/132'],
    ['http://wx.qlogo.cn/mmopen/x/0', 'https://wx.qlogo.cn/mmopen/x/0'],
    ['https://cdn.example.com/a.png', 'https://cdn.example.com/a.png'],
  ])('takes %s', (url, expected) => {
    expect(cleanAvatarUrl(url)).toBe(expected);
  });

  it.each([
    '',
    'javascript:alert(1)',
    'data:image/svg+xml,<svg/>',
    'file:///etc/passwd',
    'http://10.0.0.1/a.png',
    'http://example.com/a.png',
    'http://evilqlogo.cn/a.png',
    'http://wx.qlogo.cn:8080/a.png',
    'https://user:pass@wx.qlogo.cn/a.png',
    '//wx.qlogo.cn/a.png',
    `https://wx.qlogo.cn/${'x'.repeat(1024)}`,
    `https://wx.qlogo.cn/${'兰'.repeat(400)}`,
    null,
    42,
    ['https://wx.qlogo.cn/a.png'],
  ])('refuses %j', (url) => {
    expect(cleanAvatarUrl(url)).toBeNull();
  });
});
