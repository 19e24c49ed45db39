import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { securityHeaders, type IamResponse } from './iam-response.js';
import { type Language, localeOf } from './user-agent.js';

/** Text safe in HTML content and in double-quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A page of ours; every foreign text in the HTML of `body` is escaped. */
export interface Page {
  readonly status: number;
  readonly language: Language;
  readonly title: string;
  readonly body: string;
  readonly style: string;
  /** Runs at the end of the body; it may call this server and show pictures from data URLs. */
  readonly script?: string;
  /** Further origins whose pages may frame it, as ours then may; without them no page may, not even ours. */
  readonly framedBy?: readonly string[];
  /** The one other origin whose pictures it shows. */
  readonly imagesFrom?: string | undefined;
  /**
   * Its form ends at another site or app: browsers that check `form-action` after redirects would stop on the way there, and its
   * pages may redirect further.
   */
  readonly leadsElsewhere?: boolean | undefined;
}

/** A page that loads nothing from elsewhere but `imagesFrom`, and that no site can frame unless `framedBy` allows it. */
export function page({ status, language, title, body, style, script, framedBy, ...more }: Page): IamResponse {
  const scripts =
    script === undefined ? '' : `script-src ${hashSource(script)}; connect-src 'self'; img-src data:; `;
  const images = more.imagesFrom === undefined ? '' : `img-src ${more.imagesFrom}; `;
  const forms = more.leadsElsewhere === true ? '' : "form-action 'self'; ";
  const policy = `default-src 'none'; style-src ${hashSource(style)}; ${scripts}${images}base-uri 'none'; ${forms}frame-ancestors ${framedBy === undefined ? "'none'" : ["'self'", ...framedBy].join(' ')}`;
  const html = `<!doctype html>
<html lang="${localeOf(language)}">
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
      // It has no list of origins and would refuse those that the policy allows.
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
