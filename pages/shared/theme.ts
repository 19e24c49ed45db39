import { computed, ref, watchEffect } from 'vue';
import { settings } from './settings';

/** `system` follows the operating system. */
const themes = ['system', 'light', 'dark'] as const;
type Theme = (typeof themes)[number];

const STORED = 'iam-theme';
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const isTheme = (text: unknown): text is Theme => themes.some((each) => each === text);
const stored = localStorage.getItem(STORED);

export const theme = ref<Theme>(isTheme(stored) ? stored : 'system');
const isSystemDark = ref(systemIsDark.matches);
systemIsDark.addEventListener('change', ({ matches }) => (isSystemDark.value = matches));

export const isDark = computed(() =>
  theme.value === 'system' ? isSystemDark.value : theme.value === 'dark',
);

/** Changes the theme, also for the next visit. */
export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  localStorage.setItem(STORED, chosen);
}

type Colour = readonly [red: number, green: number, blue: number];
const white: Colour = [255, 255, 255];
const black: Colour = [0, 0, 0];

function parse(hex: string): Colour {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return [red, green, blue];
}

/** `share` of `other` in a colour. */
function mix(colour: Colour, other: Colour, share: number): Colour {
  const part = (at: 0 | 1 | 2) => Math.round(colour[at] * (1 - share) + other[at] * share);
  return [part(0), part(1), part(2)];
}

const css = (colour: Colour): string => `rgb(${colour.join(', ')})`;

/**
 * The accent colour and its shades, by the names that Element Plus reads too. Set on the element by script: the policy admits no
 * inline style. In the dark the accent is lightened until it can be read on the background.
 */
function accentVariables(dark: boolean): Record<string, string> {
  const chosen = parse(settings.accent);
  const ground = dark ? ([20, 24, 22] as const) : white;
  const accent = dark ? mix(chosen, white, 0.55) : chosen;
  const shades = [3, 5, 7, 8, 9].map((step): [string, string] => [
    `--el-color-primary-light-${step}`,
    css(mix(accent, ground, step / 10)),
  ]);
  return {
    '--accent': css(accent),
    '--accent-strong': css(mix(accent, dark ? white : black, 0.2)),
    '--accent-soft': css(mix(accent, ground, dark ? 0.8 : 0.92)),
    '--on-accent': dark ? '#10140f' : '#ffffff',
    '--el-color-primary': css(accent),
    '--el-color-primary-dark-2': css(mix(accent, dark ? white : black, 0.2)),
    ...Object.fromEntries(shades),
  };
}

watchEffect(() => {
  const { classList, style } = document.documentElement;
  classList.toggle('dark', isDark.value);
  for (const [name, value] of Object.entries(accentVariables(isDark.value))) style.setProperty(name, value);
});
