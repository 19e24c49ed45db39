import { createHash } from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { IAM_OPTIONS, type ResolvedIamOptions } from '../../src/config/iam.resolved-options.js';
import { IamError } from '../../src/errors/iam.error.js';
import { ClientRegistry } from '../../src/http/client-registry.service.js';
import { escapeHtml } from '../../src/http/html.js';
import type { IamRequest } from '../../src/http/iam-request.js';
import { empty, type IamResponse, securityHeaders } from '../../src/http/iam-response.js';
import { IamUrls } from '../../src/http/iam-urls.service.js';
import { localeOf, preferredLanguage } from '../../src/http/user-agent.js';
import type { Settings, SignInRequest } from './page-data.js';
import { PageFiles, type PageName } from './page-files.js';
import type { ResolvedPagesOptions } from './pages-options.js';

/** Injection token of `ResolvedPagesOptions`. */
export const IAM_PAGES_OPTIONS = Symbol('IAM_PAGES_OPTIONS');

/** The client by which the pages sign people in. */
export const CLIENT_ID = 'iam-pages';

/**
 * No inline script or style; pictures of people come from WeChat's servers, QR codes are data URLs. Of strings, Vue alone makes
 * HTML, out of its templates.
 */
const policyOf = (assets: string, frames: readonly string[] = []) => {
  const own = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data: https:",
    ...frames.map((origin) => `frame-src ${origin}`),
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types vue',
  ];
  // 'self' takes no path. With a second policy both must hold: no other file of the host runs here.
  const ofPath = [`script-src *:*${assets}`, `style-src *:*${assets}`];
  return `${own.join('; ')}, ${ofPath.join('; ')}`;
};

/** A page that is the same for each request. */
export type FixedPage = Exclude<PageName, 'sign-in'>;

/** Of a request for a page. */
export interface PageRequestHeaders {
  readonly 'if-none-match'?: string | undefined;
  readonly 'accept-language'?: string | undefined;
  readonly 'accept-encoding'?: string | undefined;
}

/** The HTML of the pages and the files that it loads. */
@Injectable()
export class IamPages implements OnModuleInit {
  private readonly files = new PageFiles();
  private readonly documents = new Map<string, { readonly html: string; readonly etag: string }>();

  constructor(
    @Inject(IAM_OPTIONS) private readonly options: ResolvedIamOptions,
    @Inject(IAM_PAGES_OPTIONS) private readonly pagesOptions: ResolvedPagesOptions,
    private readonly urls: IamUrls,
    private readonly clients: ClientRegistry,
  ) {}

  /** Now the host has set its global prefix, which the redirect URIs have. */
  onModuleInit(): void {
    const pages: FixedPage[] = ['admin', 'account'];
    const redirectUris = pages.map((name) => this.urls.endpoint(`ui/${name}`));
    this.clients.register({ id: CLIENT_ID, redirectUris, tokens: 'cookie', origins: [] });
  }

  /** A page, whatever follows its path: its script reads that. */
  page(name: FixedPage, headers: PageRequestHeaders): IamResponse {
    const { html, etag } = this.documentOf(name, headers);
    const own = {
      'Cache-Control': 'no-cache',
      ETag: etag,
      Vary: 'Accept-Language',
      'Cross-Origin-Opener-Policy': 'same-origin',
    };
    if (isCurrent(headers, etag)) return empty(304, own);
    return document(html, policyOf(this.assets()), own);
  }

  /** The chooser, for one request; a host may open it as a popup, which it could not follow with an opener policy of ours. */
  signInPage({ language }: Pick<IamRequest, 'language'>, about: SignInRequest): IamResponse {
    const html = this.htmlOf('sign-in', localeOf(language), about);
    const policy = policyOf(this.assets(), [new URL(about.wechat).origin]);
    return document(html, policy, { Vary: 'Accept-Language, Cookie' });
  }

  /** A file that a page loads; its name changes with its content. @throws IamError `not_found` */
  file(name: string, headers: PageRequestHeaders): IamResponse {
    const file = this.files.find(name, headers['accept-encoding'] ?? '');
    if (file === null) throw new IamError('not_found', `no file "${name.slice(0, 64)}" of the pages`);
    const { type, bytes, encoding } = file;
    // Weak: the same file in another encoding is the same.
    const etag = `W/"${name}"`;
    const own = {
      'Cache-Control': 'public, max-age=31536000, immutable',
      ETag: etag,
      Vary: 'Accept-Encoding',
    };
    if (isCurrent(headers, etag)) return empty(304, own);
    return {
      status: 200,
      headers: {
        ...securityHeaders,
        ...own,
        'Content-Type': type,
        ...(encoding !== null && { 'Content-Encoding': encoding }),
      },
      cookies: [],
      body: bytes,
    };
  }

  private documentOf(name: FixedPage, headers: PageRequestHeaders) {
    const language = localeOf(preferredLanguage(headers['accept-language']));
    const key = `${name} ${language}`;
    const known = this.documents.get(key);
    if (known !== undefined) return known;
    const html = this.htmlOf(name, language);
    const etag = `"${createHash('sha256').update(html).digest('hex').slice(0, 32)}"`;
    const made = { html, etag };
    this.documents.set(key, made);
    return made;
  }

  private htmlOf(name: PageName, language: 'zh-CN' | 'en', about?: SignInRequest): string {
    const { script, preloads, styles } = this.files.entry(name);
    const settings = this.settings();
    const to = (file: string) => escapeHtml(`${this.assets()}${file}`);
    const more =
      about === undefined ? '' : `<meta name="iam-sign-in" content="${escapeHtml(JSON.stringify(about))}">\n`;
    const needsScript =
      language === 'en' ? 'This page needs JavaScript.' : '此页面需要启用 JavaScript 才能使用。';
    return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta name="iam-settings" content="${escapeHtml(JSON.stringify(settings))}">
${more}<title>${escapeHtml(settings.siteName[language])}</title>
<link rel="icon" href="${escapeHtml(settings.logo ?? 'data:,')}">
${styles.map((file) => `<link rel="stylesheet" href="${to(file)}">`).join('\n')}
${preloads.map((file) => `<link rel="modulepreload" href="${to(file)}">`).join('\n')}
<script type="module" src="${to(script)}"></script>
</head>
<body>
<div id="app"></div>
<noscript>${needsScript}</noscript>
</body>
</html>
`;
  }

  /** The path of what the pages load. */
  private assets(): string {
    return encodeURI(`${this.urls.path('ui')}/assets/`).replace(/[;,]/g, encodeURIComponent);
  }

  /** From an attribute, since the policy admits no inline script. */
  private settings(): Settings {
    const { siteName: own } = this.options;
    const { siteName = { 'zh-CN': own, en: own }, logo, accent, terms, privacy } = this.pagesOptions;
    return {
      clientId: CLIENT_ID,
      origin: this.options.publicUrl,
      base: this.urls.path('ui').replace(/\/ui$/, ''),
      pages: { admin: this.pagesOptions.admin, account: this.pagesOptions.account },
      siteName,
      logo,
      accent,
      terms,
      privacy,
    };
  }
}

function document(html: string, policy: string, own: Readonly<Record<string, string>>): IamResponse {
  return {
    status: 200,
    headers: {
      ...securityHeaders,
      ...own,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': policy,
      'X-Frame-Options': 'DENY',
    },
    cookies: [],
    body: html,
  };
}

/** RFC 9110 §13.1.2: compared weakly. */
function isCurrent({ 'if-none-match': known }: PageRequestHeaders, etag: string): boolean {
  const bare = (text: string) => text.trim().replace(/^W\//, '');
  return known?.split(',').some((each) => bare(each) === bare(etag) || each.trim() === '*') ?? false;
}
