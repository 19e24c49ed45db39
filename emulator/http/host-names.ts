/** True for the names of this very machine. */
export function isLoopback(hostname: string): boolean {
  return (
    /^(?:.+\.)?localhost$/.test(hostname) || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
  );
}

/** WeChat's own hosts, which lead to the emulator where name resolution says so. */
export const wechatHosts: readonly string[] = [
  'api.weixin.qq.com',
  'api2.weixin.qq.com',
  'sh.api.weixin.qq.com',
  'sz.api.weixin.qq.com',
  'hk.api.weixin.qq.com',
  'open.weixin.qq.com',
  'mp.weixin.qq.com',
  'res.wx.qq.com',
];

export function isWechatHost(hostname: string): boolean {
  return wechatHosts.includes(hostname.toLowerCase());
}
