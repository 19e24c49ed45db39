import { describeAgent } from '../../src/http/describe-agent.js';

const harmony =
  'Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36  ArkWeb/4.1.6.1 Mobile';

describe('the name of a browser in the list of sessions', () => {
  it.each([
    [`${harmony} MicroMessenger/8.0.60(0x28003c2f) NetType/WIFI Language/zh_CN`, 'WeChat on HarmonyOS'],
    [`${harmony} HuaweiBrowser/5.1.4.300`, 'Huawei Browser on HarmonyOS'],
    [harmony, 'Chrome on HarmonyOS'],
    [
      'Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00; HMSCore 6.13.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.5735.196 HuaweiBrowser/15.0 Mobile Safari/537.36',
      'Huawei Browser on HarmonyOS',
    ],
    [null, 'an unknown browser'],
  ])('of %s is %s', (userAgent, name) => {
    expect(describeAgent(userAgent, 'en')).toBe(name);
  });
});
