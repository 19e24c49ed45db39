import { z } from 'zod';
import { CircuitBreaker } from '../../src/wechat/connection.js';
import { WechatError } from '../../src/wechat/wechat-error.js';
import { WechatHttp } from '../../src/wechat/wechat-http.js';
import { drop, json, WechatStub } from './wechat-stub.js';

describe('a circuit breaker', () => {
  let now = 0;
  let breaker: CircuitBreaker;

  beforeEach(() => {
    now = 0;
    breaker = new CircuitBreaker({ failures: 3, openMs: 1_000, now: () => now });
  });

  const fail = (times: number) => {
    for (let index = 0; index < times; index += 1) {
      breaker.enter();
      breaker.failed();
    }
  };

  it('opens after so many failures in a row, and says how long to wait', () => {
    fail(2);
    const before = breaker.enter();
    breaker.failed();
    now = 400;

    expect([before, breaker.enter(), breaker.isClosed]).toEqual([null, 600, false]);
  });

  it('counts only failures in a row', () => {
    fail(2);
    breaker.succeeded();
    fail(2);

    expect([breaker.enter(), breaker.isClosed]).toEqual([null, true]);
  });

  it('lets one call try when the time is over, and nobody else meanwhile', () => {
    fail(3);
    now = 1_000;

    expect([breaker.enter(), breaker.enter(), breaker.enter()]).toEqual([null, 1_000, 1_000]);
  });

  it('closes when the try is answered, and opens again when it is not', () => {
    fail(3);
    now = 1_000;
    breaker.enter();
    breaker.failed();
    const afterFailure = breaker.enter();
    now = 2_000;
    breaker.enter();
    breaker.succeeded();

    expect([afterFailure, breaker.enter(), breaker.isClosed]).toEqual([1_000, null, true]);
  });
});

describe('calls to a host that does not answer', () => {
  const path = '/sns/auth';
  const anything = z.object({});
  let stub: WechatStub;
  let http: WechatHttp;

  beforeEach(async () => {
    stub = await WechatStub.start();
    http = new WechatHttp({ endpoints: stub.endpoints, allowLoopback: true });
  });
  afterEach(async () => {
    await stub.stop();
    await http.close();
  });

  const call = async (): Promise<WechatError | null> => {
    try {
      await http.call({ path }, anything);
      return null;
    } catch (error) {
      if (error instanceof WechatError) return error;
      throw error;
    }
  };
  const callTimes = async (times: number): Promise<(WechatError | null)[]> => {
    const outcomes = [];
    for (let index = 0; index < times; index += 1) outcomes.push(await call());
    return outcomes;
  };

  it('are refused at once after ten of them, with the time to wait', async () => {
    stub.on(path, drop);

    const outcomes = await callTimes(12);

    expect(stub.callsTo(path)).toBe(10);
    expect(outcomes.map((error) => error?.code)).toEqual(Array(12).fill('wechat_unavailable'));
    expect(outcomes[9]?.retryAfterSeconds).toBeUndefined();
    expect(outcomes[11]?.retryAfterSeconds).toBe(5);
    expect(http.isAvailable).toBe(false);
  });

  it('go on for as long as it answers something: an error, a gateway, rubbish', async () => {
    const gateway = (response: Parameters<typeof drop>[0]) => response.writeHead(502).end('<html>');
    stub.on(
      path,
      ...Array.from({ length: 20 }, (_, index) => [json({ errcode: -1 }), gateway][index % 2] ?? drop),
    );

    await callTimes(20);

    expect(stub.callsTo(path)).toBe(20);
    expect(http.isAvailable).toBe(true);
  });
});
