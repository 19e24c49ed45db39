/** A reason not to start that the person at the keyboard can act on; shown as one line. */
export class StartUpError extends Error {
  override readonly name = 'StartUpError';
}
