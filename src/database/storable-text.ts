/** True for text that PostgreSQL keeps as it is: no NUL, which it refuses, and no lone surrogate, which arrives as another character. */
export function isStorable(text: string): boolean {
  return !/[\0\p{Cs}]/u.test(text);
}
