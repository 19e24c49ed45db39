/** Where the demo's pages find the WeChat that is in use. */
export interface DemoLinks {
  /** The address under which sign-ins return. */
  readonly publicUrl: string;
  /** The emulator's phone; null when the emulator does not run. */
  readonly phoneUrl: string | null;
  /** The host of WeChat's QR page, for the embedded QR code. */
  readonly openUrl: string;
}

/** Injection token of `DemoLinks`. */
export const DEMO_LINKS = Symbol('DEMO_LINKS');
