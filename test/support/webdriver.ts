import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { endChildWithTests } from './end-with-tests.js';
import { freePort } from '../../example/postgres/free-port.js';
import { type Place, picturePath, type Profile, type Tab } from './tab.js';

const PATIENCE_MS = 15_000;

/** A program that drives a browser by W3C WebDriver (https://www.w3.org/TR/webdriver2/). */
export interface Driver {
  readonly program: string;
  readonly arguments: (port: number) => readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly capabilities: object;
}

const elementKey = 'element-6066-11e4-a52e-4f735466cecf';
const elements = z.array(z.object({ [elementKey]: z.string() }).transform((found) => found[elementKey]));
const started = z.object({
  sessionId: z.string(),
  capabilities: z.object({ browserVersion: z.string() }),
});

/** One browser process and its driver; commands go to one tab after the other. */
export class WebDriverSession implements Profile {
  private turn: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  private constructor(
    private readonly child: ChildProcess,
    private readonly url: string,
    readonly version: string,
  ) {}

  static async start(driver: Driver): Promise<WebDriverSession> {
    const port = await freePort();
    const env = { ...process.env, ...driver.environment };
    const child = spawn(driver.program, driver.arguments(port), { env, stdio: 'ignore' });
    void endChildWithTests(child);
    const base = `http://127.0.0.1:${port}`;
    await answering(`${base}/status`);
    const capabilities = { alwaysMatch: driver.capabilities };
    const session = started.parse(await command('POST', `${base}/session`, { capabilities }));
    return new WebDriverSession(
      child,
      `${base}/session/${session.sessionId}`,
      session.capabilities.browserVersion,
    );
  }

  /**
   * A window, since WebKitGTK never draws the picture of a tab behind another. Opened from the first one, which stays: where
   * the last command went may be closed.
   */
  async tab(): Promise<Tab> {
    const handle = await this.inTurn(async () => {
      const [first] = z.array(z.string()).parse(await this.send('GET', '/window/handles'));
      await this.send('POST', '/window', { handle: first });
      const opened = await this.send('POST', '/window/new', { type: 'window' });
      return z.object({ handle: z.string() }).parse(opened).handle;
    });
    return new WebDriverTab((work) =>
      this.inTurn(async () => {
        await this.send('POST', '/window', { handle });
        return work((method, path, body) => this.send(method, path, body));
      }),
    );
  }

  async forget(url: string): Promise<void> {
    const tab = await this.tab();
    await tab.open(url);
    await this.inTurn(() => this.send('DELETE', '/cookie'));
    await tab.close();
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.inTurn(() => this.send('DELETE', ''));
    this.child.kill('SIGTERM');
  }

  private send(method: string, path: string, body?: object): Promise<unknown> {
    return command(method, `${this.url}${path}`, body);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work, work);
    this.turn = done.catch(() => undefined);
    return done;
  }
}

type Command = (method: string, path: string, body?: object) => Promise<unknown>;

class WebDriverTab implements Tab {
  constructor(private readonly inTurn: <T>(work: (send: Command) => Promise<T>) => Promise<T>) {}

  async open(url: string): Promise<void> {
    await this.send('POST', '/url', { url });
  }

  async reload(): Promise<void> {
    await this.send('POST', '/refresh', {});
  }

  async back(): Promise<void> {
    await this.send('POST', '/back', {});
  }

  async address(): Promise<string> {
    return z.string().parse(await this.send('GET', '/url'));
  }

  async click(selector: string, place?: Place): Promise<void> {
    await this.onElement(selector, place, async (element, send) => {
      await send('POST', `/element/${element}/click`, {});
      return true;
    });
  }

  async text(selector: string, place?: Place): Promise<string> {
    return this.onElement(selector, place, async (element, send) =>
      z.string().parse(await send('GET', `/element/${element}/text`)),
    );
  }

  run(expression: string): Promise<unknown> {
    const script = `const done = arguments[0]; Promise.resolve(${expression}).then(done);`;
    return this.send('POST', '/execute/async', { script, args: [] });
  }

  async picture(name: string): Promise<void> {
    const path = picturePath(name);
    if (path === undefined) return;
    const image = z.string().parse(await this.send('GET', '/screenshot'));
    await writeFile(path, Buffer.from(image, 'base64'));
  }

  async close(): Promise<void> {
    await this.send('DELETE', '/window');
  }

  private send(method: string, path: string, body?: object): Promise<unknown> {
    return this.inTurn((send) => send(method, path, body));
  }

  /** Tries until the page has the element and the work gives something: pages come and go meanwhile. */
  private async onElement<T>(
    selector: string,
    place: Place = 'page',
    work: (element: string, send: Command) => Promise<T>,
  ): Promise<T> {
    const endsAt = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        const done = await this.inTurn(async (send) => {
          if (place === 'frame')
            await send('POST', '/frame', { id: { [elementKey]: await find(send, 'iframe') } });
          return work(await find(send, selector), send);
        });
        if (done !== '') return done;
        if (Date.now() > endsAt) throw new Error(`${selector} has no text`);
      } catch (error) {
        if (Date.now() > endsAt) throw error;
      }
      await delay(25);
    }
  }
}

async function find(send: Command, selector: string): Promise<string> {
  const [element] = elements.parse(
    await send('POST', '/elements', { using: 'css selector', value: selector }),
  );
  if (element === undefined) throw new Error(`no ${selector} in the page`);
  return element;
}

async function command(method: string, url: string, body?: object): Promise<unknown> {
  const sent = body !== undefined && {
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  };
  const answer = await fetch(url, { method, ...sent });
  const { value } = z.object({ value: z.unknown() }).parse(await answer.json());
  if (!answer.ok) throw new Error(`${method} ${new URL(url).pathname}: ${JSON.stringify(value)}`);
  return value;
}

async function answering(url: string): Promise<void> {
  const endsAt = Date.now() + PATIENCE_MS;
  while ((await fetch(url).catch(() => null)) === null) {
    if (Date.now() > endsAt) throw new Error(`${url} does not answer`);
    await delay(25);
  }
}
