/** How the functions of `wx` report back; Taro and uni-app take the same. */
interface Callbacks<T> {
  readonly success?: (result: T) => void;
  readonly fail?: (reason: { readonly errMsg?: string; readonly errno?: number }) => void;
}

/** What `wx.request` is given. */
export interface WechatRequest {
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS' | 'HEAD' | 'TRACE' | 'CONNECT';
  readonly data?: string | Record<string, unknown> | ArrayBuffer;
  readonly header?: Readonly<Record<string, string>>;
  readonly timeout?: number;
}

/** What `wx.request` answers with. */
export interface WechatResponse<T = unknown> {
  readonly data: T;
  readonly statusCode: number;
  readonly header: Readonly<Record<string, unknown>>;
}

/** The part of `wx` that is used: `wx` itself, `Taro` or `uni`. */
export interface WechatApi {
  login(options: Callbacks<{ readonly code: string }>): unknown;
  request(options: WechatRequest & Callbacks<WechatResponse<never>>): unknown;
  getStorageSync(key: string): unknown;
  setStorageSync(key: string, value: unknown): void;
  removeStorageSync(key: string): void;
}
