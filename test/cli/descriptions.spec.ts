import { readFileSync } from 'node:fs';
import { commandList } from '../../cli/command-list.js';
import { variables } from '../../cli/environment.js';
import { parseCall } from '../../cli/program.js';

const documents = ['docs/cli.md', 'docs/cli.zh-CN.md'];
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The calls in a text, as a shell would split them; what is piped in or set before them is left out. */
function callsIn(text: string): string[][] {
  const calls = text.match(/npx nestjs-wechat-iam [a-z][^|\n#]+/g) ?? [];
  return calls.map((call) => {
    const words = call.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
    return words.slice(2).map((word) => word.replace(/^(['"])(.*)\1$/, '$2'));
  });
}

/** The name of the command that a call runs. */
async function commandOf(words: readonly string[]): Promise<string> {
  const call = await parseCall(words);
  if (typeof call === 'string') throw new Error(`only help: ${words.join(' ')}`);
  return call.command.name;
}

describe('what is said about the commands', () => {
  it.each(commandList)('the example of $name is a call of it', async ({ name, load }) => {
    const command = await load();
    const calls = callsIn(command.example);

    expect(command.name).toBe(name);
    expect(calls.length).toBeGreaterThan(0);
    for (const call of calls) expect(await commandOf(call)).toBe(name);
  });

  it.each(documents)('%s shows every command, and only calls that work', async (path) => {
    const text = read(path);
    const calls = callsIn(text);

    for (const { name } of commandList) expect(text).toContain(`\`${name}`);
    expect(calls.length).toBeGreaterThan(5);
    const names = commandList.map(({ name }) => name);
    for (const call of calls) expect(names).toContain(await commandOf(call));
  });

  it.each(documents)('%s lists every variable that the commands read', (path) => {
    const listed = [...read(path).matchAll(/^\| `([A-Z_]+)`/gm)].map(([, name]) => name);

    expect(listed).toEqual(Object.keys(variables));
  });
});
