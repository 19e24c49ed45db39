import { acceptFile } from '../../src/wechat/wechat-response.js';

describe('the name of a file that WeChat answers with', () => {
  it.each([
    ['attachment; filename="../../etc/a.png"', 'a.png'],
    ['attachment; filename="C:\\temp\\b.png"', 'b.png'],
    ['attachment; filename=c.png; size=3', 'c.png'],
    [`attachment; filename="${Buffer.from('图.png').toString('latin1')}"`, '图.png'],
    [`attachment; filename="${Buffer.from('a\u0000\u202e.png').toString('latin1')}"`, 'a.png'],
    ['attachment; filename=".."', null],
    ['attachment; filename=""', null],
    ['attachment', null],
    [undefined, null],
  ])('is of %j the last part alone', (disposition, expected) => {
    const answer = { body: Buffer.from('x'), contentType: 'audio/amr', disposition };

    expect(acceptFile('/cgi-bin/media/get', answer).fileName).toBe(expected);
  });

  it.each([
    ['text/plain', 'ffd8ffe0', 'image/jpeg'],
    ['Audio/AMR; x=y', '2321', 'audio/amr'],
    ['nonsense', '2321', 'application/octet-stream'],
    [undefined, '2321', 'application/octet-stream'],
  ])('has a type by the bytes, else by the header: %s', (contentType, bytes, expected) => {
    const answer = { body: Buffer.from(bytes, 'hex'), contentType, disposition: undefined };

    expect(acceptFile('/cgi-bin/media/get', answer).contentType).toBe(expected);
  });
});
