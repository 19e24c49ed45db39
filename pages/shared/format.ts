import { namesOfAgent } from '../../src/http/user-agent.js';
import { language } from './language';

/** A time of the API in the browser's zone. */
export function dateTime(iso: string): string {
  return new Date(iso).toLocaleString(language.value, {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hour12: false,
  });
}

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** How long ago, or from now: “3 minutes ago”. */
export function relative(iso: string, now = Date.now()): string {
  const seconds = Math.round((new Date(iso).getTime() - now) / 1000);
  const format = new Intl.RelativeTimeFormat(language.value, { numeric: 'auto' });
  const [unit, size] = units.find(([, each]) => Math.abs(seconds) >= each) ?? ['second', 1];
  return format.format(Math.trunc(seconds / size), unit);
}

export function count(value: number): string {
  return value.toLocaleString(language.value);
}

/** A browser in words, such as “Chrome · Windows”; null where the User-Agent names neither. It is the browser's own claim. */
export function agentName(userAgent: string | null): string | null {
  const { browser, system } = namesOfAgent(userAgent);
  const parts = [browser, system].filter((part) => part !== undefined);
  return parts.length === 0 ? null : parts.join(' · ');
}

/** The day of a time of the API, in the browser's zone. */
export function date(iso: string): string {
  return new Date(iso).toLocaleDateString(language.value, { year: 'numeric', month: 'long', day: 'numeric' });
}
