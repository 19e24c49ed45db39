/** Test vectors of the WeChat protocol reference, F.4: literal values, computed by nothing of ours. */

const zeroKey = 'A'.repeat(43);
const ourKey = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
const ours = {
  token: 'spamtest',
  encodingAesKey: ourKey,
  appid: 'wx2c2769f8efd9abc2',
  timestamp: '1409735669',
  nonce: '1320562132',
  random: '0123456789abcdef',
  signature: '16120ec1b8dbb870f510d87ce6bc2463eae6ca1a',
};

/** An encrypted message with everything that it was made from. */
export interface MessageVector {
  readonly name: string;
  readonly token: string;
  readonly encodingAesKey: string;
  readonly appid: string;
  readonly timestamp: string;
  readonly nonce: string;
  readonly random: string;
  readonly signature: string;
  readonly msgSignature: string;
  readonly message: string;
  readonly encrypted: string;
}

export const messageVectors: readonly MessageVector[] = [
  {
    name: 'V1, official, JSON, a ciphertext that sorts before the digits',
    token: 'AAAAA',
    encodingAesKey: zeroKey,
    appid: 'wxba5fad812f8e6fb9',
    timestamp: '1714112445',
    nonce: '415670741',
    random: 'a8eedb185eb2fecf',
    signature: '6c5c811b55cc85e0e1b54100749188c20beb3f5d',
    msgSignature: '046e02f8204d34f8ba5fa3b1db94908f3df2e9b3',
    message:
      '{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}',
    encrypted:
      '+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=',
  },
  {
    name: 'V3, Chinese and emoji',
    ...ours,
    msgSignature: '6ab6efed8359894782cbde5643a4f5b2d0fcc7a9',
    message:
      '<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName><CreateTime>1409735668</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好🌏]]></Content><MsgId>6054768590064713728</MsgId></xml>',
    encrypted:
      'Q3stYC6hdFzMh9T8HCvyDOijj+4zIgvMT9VuUUUXZ83/ZjADiDm6BjQrcgkxYnYXEho/csVAJRj80aMWOjoSnBh9NHdnmP45g0aR4rV2OssVtyIEv92tnNzXa2wmwcwA/qR3uK5VOoKzkJwjplsmyvl6w716SFsDolGwk2afXB3ZqsBBRPyOsIVfqUQayUzf1EL/G/sj4eh6f1EYbH9iNN54fz+2J2AqtWXRoBiP6eAJUslhDqkrK+LBuGmY/YAnj5wrqcGM9xeJQEub+MEpYnvgUAuwU4Yo2YbnyIX5qN/xcfQfrtwzIZgqOkaLrltqf3aHTgYr5pCT8AV0/dOppw5EfrgGu4fFiYPXo8EsDpqNlH+fAIXwM8yfc3KwHef6FFY+lDnxqrRVdIiSzBfv6dr7+QRYUBFQTSQCQ26UtOI=',
  },
  {
    name: 'V4, subscribe with a scene',
    ...ours,
    msgSignature: 'c9c1e6732270d2d28e37f016fdf776d970c679de',
    message:
      '<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName><CreateTime>1409735668</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_login:abc123]]></EventKey><Ticket><![CDATA[gQH47joAAAAAAAAAASxodHRwOi8vd2VpeGluLnFxLmNvbS9x]]></Ticket></xml>',
    encrypted:
      'Q3stYC6hdFzMh9T8HCvyDOHf+aZPdAtdbaDSyjDbAdbMCT1yIBdhP2eo1Oj+GcyLKqun9eDcDeiSqO5U81q6ZAN+qLxwiH1LxFMYru2GsnLiTYM3lrYynWeqdCbILJIYeW8LTxls1GB1xrUJSm/PMiF+LLNn3i/sWjtpKnF7V3dM/G6zETiGiGnm28y4oUYgzTajkq+1o6IYhBmZCXYU18RSHoPwqq4BGcytfWCWJjC4V28N/Wd8ZqA9r7ykPpjrKmAEn28gkNMmMi1LkPGTgbx/c7IlGl0B64/qUcd0u6KZAljK0u4fYsoHzhNBS9iVzldPNiXz7gxzN6m6/HSfrMUYIcmS45sTnx9v81eKmtNrLvl5sDdHJxxr3MOX0T5Ea4S4M4s4LxwhRlXDD/8Gjla8/rDtjw4yh9ZiHpFSAQlnYzPWVYaJha0qldZHd0YAtdpFsgWDj5L+Gysk6l4r35R/J0CRPEcwvf3IpKFWGWgapPKMmLu5P5LxYmQ1AdCvDV9eSzNqrAnNYvYYxHaIEB67bK2UvPPIu46N3x5131I=',
  },
  {
    name: 'V5, a whole block of padding',
    ...ours,
    msgSignature: '47fb6529420a265baad01b0722bc0dfaae3a6619',
    message: 'x'.repeat(58),
    encrypted:
      'Q3stYC6hdFzMh9T8HCvyDIKMpJ2YB/WJNYEsiBRSdP7uuAg59ygU0GcjEbNixcLfuHJQGfnGB/sQWDCwRYJJMDGHdyNXwaSNbiwQT1k8/tvRDTfzog8eKmhDb1gdyrraeHhHPYMsrMatpkB/jlq1wrBC1fF7v5eOxliL0obvzbw=',
  },
  {
    name: 'V6, an empty message',
    ...ours,
    msgSignature: '734b535206f2941f6657942a4cd204e4baa4b15f',
    message: '',
    encrypted: 'Q3stYC6hdFzMh9T8HCvyDBiKIeKbgjz4kv7NicVN5go2PdEvYWbkMeBfrJNyK8Z0eBYTa0BYG/ZhAVAdY2ZIQQ==',
  },
];

/** V1's reply. */
export const replyVector: MessageVector = {
  name: 'V1, the reply',
  token: 'AAAAA',
  encodingAesKey: zeroKey,
  appid: 'wxba5fad812f8e6fb9',
  timestamp: '1713424427',
  nonce: '415670741',
  random: '707722b803182950',
  signature: '',
  msgSignature: '1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1',
  message: '{"demo_resp":"good luck"}',
  encrypted: 'ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==',
};

/** V2: the document gives its beginning and length instead of the whole message. */
export const platformVector = {
  token: 'AAAAA',
  encodingAesKey: zeroKey,
  appid: 'wx134c8103faa5a59e',
  timestamp: '1715943329',
  nonce: '1590219412',
  signature: 'cc0c594499c1634947d5b502f158ee518947db27',
  msgSignature: '6c12a4205838198b8fa631b3220723bb07f1015c',
  messageLength: 292,
  encrypted:
    'D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE//1vr7oAbqjDv8KenVp+ajKYpJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5DkyuzkhQN8OBqCzFhizGmy0xpM0MEA4agpvE+RuNO1rhHTtuJB5yltw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7Is6ookXIFxTfyeNyeHxMeT4KN5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCxgfoUlYEZPk4FUL/TK7ShriFDMVCLyjQJ15Ob++agDWtcxhfUfe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmdnX4zrF6kIaR9P4xQrWXbsTFHTYe0Mg==',
};

/** Plain signatures: V1's handshake and plain push, V7. */
export const signatureVectors = [
  ['AAAAA', '1714036504', '1514711492', 'f464b24fc39322e44b38aa78f5edd27bd1441696'],
  ['AAAAA', '1714037059', '486452656', '899cf89e464efb63f54ddac96b0a0a235f53aa78'],
  ['weixin', '1500000000', 'nonce123', '3435472f35c629634a18a8c5a94eba3be9eb8dff'],
] as const;
