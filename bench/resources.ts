/** Thrown where something is opened after everything began to close. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

/** Servers, processes and folders of a run: closed last first, at the end or when a signal comes in the middle of it. */
export class Resources {
  private readonly opened: (() => Promise<unknown>)[] = [];
  private readonly opening = new Set<Promise<void>>();
  private closing: Promise<void> | undefined;

  /** Opens something and remembers how to close it. */
  async open<T>(start: () => Promise<T>, close: (thing: T) => Promise<unknown>): Promise<T> {
    if (this.closing !== undefined) throw new Interrupted();
    const starting = start();
    const settled = starting.then(
      (thing) => void this.opened.push(() => close(thing)),
      () => undefined,
    );
    this.opening.add(settled);
    await settled;
    this.opening.delete(settled);
    return starting;
  }

  /** Resources that can be closed before the rest. */
  branch(): Promise<Resources> {
    return this.open(
      () => Promise.resolve(new Resources()),
      (branch) => branch.close(),
    );
  }

  /** Closes what was opened, and what is just being opened, once. One failure does not keep the rest open. */
  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  private async closeAll(): Promise<void> {
    await Promise.all(this.opening);
    for (let close = this.opened.pop(); close !== undefined; close = this.opened.pop()) {
      await close().catch((error: unknown) => console.error(error));
    }
  }
}
