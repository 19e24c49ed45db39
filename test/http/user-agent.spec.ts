import { classifyBrowser, describeAgent } from '../../src/http/user-agent.js';

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

const chrome =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0';

const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 8_3 like Mac OS X) AppleWebKit/600.1.4 (KHTML, like Gecko)';

const android =
  'Mozilla/5.0 (Linux; Android 14; V2 Build/UP1A; wv) AppleWebKit/537.36 Version/4.0 Chrome/126.0.0.0';

const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)';

describe('classifyBrowser', () => {
  it.each([
    ['WeChat on iOS', `${iphone} Mobile/12F70 MicroMessenger/6.1.5 NetType/WIFI`],
    [
      'WeChat on Android',
      `${android} Mobile Safari/537.36 MMWEBSDK/2024 MicroMessenger/8.0.49 WeChat/arm64 Weixin`,
    ],
    [
      'WeChat for Windows',
      `${chrome} Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090c37) XWEB/14315 Flue`,
    ],
    [
      'WeChat for Mac',
      `${mac} MicroMessenger/6.8.0(0x16080000) MacWechat/3.8.7(0x13080712) UnifiedPCMacWechat(0xf2641210) XWEB/16816`,
    ],
    ['whatever case', 'micromessenger/8'],
  ])('takes %s for WeChat', (_name, agent) => {
    expect(classifyBrowser(agent)).toEqual({ kind: 'wechat', miniProgramWebView: false });
  });

  it.each([
    [
      'a web-view',
      `${iphone} Mobile/15E148 MicroMessenger/8.0.44(0x18002c2d) NetType/WIFI miniProgram/wx0123456789abcdef`,
    ],
    ['the PC runtime', `${chrome} MicroMessenger/7.0.20 MiniProgramEnv/Windows WindowsWechat/WMPF`],
  ])('sees a mini program around the page: %s', (_name, agent) => {
    expect(classifyBrowser(agent)).toEqual({ kind: 'wechat', miniProgramWebView: true });
  });

  it.each([
    ['no User-Agent', undefined],
    ['an empty one', ''],
    ['Chrome on Windows', `${chrome} Safari/537.36`],
    ['Safari on a Mac', `${mac} Version/17.4 Safari/605.1.15`],
    [
      'WeCom on a PC',
      `${chrome} Safari/537.36 wxwork/4.1.26 (MicroMessenger/6.2) WindowsWechat MailPlugin_Electron`,
    ],
    ['an iPad', 'Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) Mobile/15E148 Safari/604.1'],
    ['an Android tablet', 'Mozilla/5.0 (Linux; Android 13; SM-X900) Chrome/126.0.0.0 Safari/537.36'],
    ['a HarmonyOS tablet', 'Mozilla/5.0 (Tablet; OpenHarmony 5.0) AppleWebKit/537.36 ArkWeb/4.1.6.1 Mobile'],
    ['a crawler', 'curl/8.5.0'],
  ])('takes %s for a PC', (_name, agent) => {
    expect(classifyBrowser(agent)).toEqual({ kind: 'pc', miniProgramWebView: false });
  });

  it.each([
    ['Safari on an iPhone', `${iphone} Version/17.4 Mobile/15E148 Safari/604.1`],
    ['Chrome on Android', `${android} Mobile Safari/537.36`],
    ['a HarmonyOS phone', 'Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 ArkWeb/4.1.6.1 Mobile'],
    ['WeCom on a phone', `${iphone} Mobile/15E148 wxwork/4.1.22 MicroMessenger/7.0.1 Language/zh`],
  ])('takes %s for a phone', (_name, agent) => {
    expect(classifyBrowser(agent)).toEqual({ kind: 'phone', miniProgramWebView: false });
  });
});
