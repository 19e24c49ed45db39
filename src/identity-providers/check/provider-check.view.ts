import { z } from 'zod';
import { checkItem } from './check-item.js';

/** `POST /admin/providers/{slug}/check`; `ok` when no item is an error. */
export const checkView = z.object({ ok: z.boolean(), items: z.array(checkItem) });

/** A server whose address WeChat does not know yet. */
export const checkExample: z.infer<typeof checkView> = {
  ok: false,
  items: [
    {
      id: 'mp.ip_whitelist',
      area: 'mp',
      status: 'error',
      finding: 'ip_refused',
      title: '服务号的 IP 白名单',
      detail: '微信拒绝了本服务器的地址 203.0.113.7（errcode 40164）。',
      remedy: '把 203.0.113.7 与其他出口地址加入 IP 白名单，5 到 10 分钟后生效。',
      where: '微信公众平台 mp.weixin.qq.com → 设置与开发 → 基本配置 → IP白名单',
      facts: { appid: 'wx0123456789abcdef', errcode: '40164', address: '203.0.113.7' },
    },
  ],
};
