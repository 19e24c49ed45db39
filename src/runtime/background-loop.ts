import { reasonOf } from '../errors/unknown.js';
import { runOutsideContext } from './request-context.js';

/** The work of a loop, and how often it runs. */
export interface LoopOptions {
  readonly work: () => Promise<void>;
  /** Milliseconds between the end of one run and the next, give or take a fifth, so that replicas spread out. */
  readonly every: number;
  /** With it, each failure in a row doubles the pause, up to so many milliseconds. */
  readonly longestPause?: number;
  /** Called once for repeated failures with the same reason. */
  readonly onTrouble: (reason: string) => void;
  /** Called at the first success after a failure. */
  readonly onRecovery?: () => void;
}

/** Background work: one run after the other, outside of any request, until it is stopped. Does not keep the process alive. */
export class BackgroundLoop {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private isRunning = false;
  private isStarted = false;
  private isWanted = false;
  private failures = 0;
  private trouble: string | undefined;

  constructor(private readonly options: LoopOptions) {}

  /** Plans the first run. */
  start(firstIn = this.options.every * Math.random()): void {
    this.isStarted = true;
    this.schedule(firstIn);
  }

  /** The next run begins at once, or as soon as the one under way has ended. */
  hurry(): void {
    if (this.isRunning) this.isWanted = true;
    else this.schedule(0);
  }

  /** No run begins any more; ends with the one under way. */
  async stop(): Promise<void> {
    this.isStarted = false;
    clearTimeout(this.timer);
    await this.running;
  }

  private schedule(milliseconds: number): void {
    clearTimeout(this.timer);
    if (!this.isStarted) return;
    this.timer = setTimeout(() => {
      this.running = runOutsideContext(() => this.run());
    }, milliseconds).unref();
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    this.isWanted = false;
    try {
      await this.options.work();
      this.succeeded();
    } catch (error) {
      this.failed(reasonOf(error));
    }
    this.isRunning = false;
    this.schedule(this.pause());
  }

  private pause(): number {
    if (this.isWanted) return 0;
    const { every, longestPause = every } = this.options;
    const pause = Math.min(every * 2 ** this.failures, Math.max(every, longestPause));
    return pause * (0.8 + Math.random() * 0.4);
  }

  private succeeded(): void {
    if (this.failures > 0) this.options.onRecovery?.();
    this.failures = 0;
    this.trouble = undefined;
  }

  private failed(reason: string): void {
    this.failures += 1;
    if (reason !== this.trouble) this.options.onTrouble(reason);
    this.trouble = reason;
  }
}
