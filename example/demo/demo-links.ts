/** Where the demo's pages find the WeChat that is in use. */
export interface DemoLinks {
  /** The address under which sign-ins return. */
  readonly publicUrl: string;
  /** The emulator's phone, and the same with this app opened inside WeChat; null when the emulator does not run. */
  readonly phone: { readonly home: string; readonly inside: string } | null;
  /** The row of the members' page, which asks who is not known yet for an account of the shop. */
  readonly membersProvider: string;
  /** Members of the shop whose passwords everybody may know. */
  readonly members: readonly { readonly login: string; readonly password: string; readonly name: string }[];
}

/** Injection token of `DemoLinks`. */
export const DEMO_LINKS = Symbol('DEMO_LINKS');

/** Two members from the time before WeChat. Their passwords stand on the page: it is a demo. */
export const demoMembers = [
  { login: 'afang', password: 'tea-and-rice', name: '阿芳' },
  { login: 'laochen', password: 'pu-er-cake', name: '老陈' },
] as const;
