import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { securityHeaders, type IamResponse } from './iam-response.js';
import type { Language } from './user-agent.js';

/** Text safe in HTML content and in double-quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** What a page of ours consists of; `body` is HTML whose every foreign text is escaped. */
export interface Page {
  readonly status: number;
  readonly language: Language;
  readonly title: string;
  readonly body: string;
  readonly style: string;
  /** Runs at the end of the body; it may call this server and show pictures it was given as data URLs. */
  readonly script?: string;
  /** Origins besides our own whose pages may show it in a frame; without them none may, not even ours. */
  readonly framedBy?: readonly string[];
}

/** A page that loads nothing from anywhere, and that no site can frame unless it says so. */
export function page({ status, language, title, body, style, script, framedBy }: Page): IamResponse {
  const scripts =
    script === undefined ? '' : `script-src ${hashSource(script)}; connect-src 'self'; img-src data:; `;
  const policy = `default-src 'none'; style-src ${hashSource(style)}; ${scripts}base-uri 'none'; form-action 'self'; frame-ancestors ${framedBy === undefined ? "'none'" : ["'self'", ...framedBy].join(' ')}`;
  const html = `<!doctype html>
<html lang="${language === 'zh' ? 'zh-CN' : 'en'}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
${body}${script === undefined ? '' : `\n<script>${script}</script>`}
</body>
</html>
`;
  return {
    status,
    headers: {
      ...securityHeaders,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': policy,
      // It knows no list of origins, so it would keep out those that the policy lets in.
      ...(framedBy === undefined && { 'X-Frame-Options': 'DENY' }),
      Vary: 'Accept, Accept-Language',
    },
    cookies: [],
    body: html,
  };
}

function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/**
 * The text of a script or style that stands beside the module with the URL `from`. In `dist` the build has written the text
 * in place of the call: a host that bundles the package has no such file.
 */
export function readAsset(name: string, from: string): string {
  return readFileSync(new URL(name, from), 'utf8');
}
