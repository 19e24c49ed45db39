/** Injection token of the `UserMergeStep`s, in order; composed in `iam.module.ts`, since users know nothing above them. */
export const USER_MERGE_STEPS = Symbol('USER_MERGE_STEPS');
