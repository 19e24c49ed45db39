import { auditActionsPage } from './audit-actions.js';
import { cliPage } from './cli.js';
import { endpointsPage } from './endpoints.js';
import { environmentPage } from './environment.js';
import { errorCodesPage } from './error-codes.js';
import { languages, pagePath, render, type ReferencePage } from './markdown.js';
import { optionsPage } from './options.js';
import { providerColumnsPage } from './provider-columns.js';

/** The folder of the pages. */
export const folder = 'docs/reference/';

const pages: readonly ReferencePage[] = [
  optionsPage,
  endpointsPage,
  providerColumnsPage,
  errorCodesPage,
  auditActionsPage,
  environmentPage,
  cliPage,
];

/** The reference in both languages, as the code is now: the text of every page by its path. */
export function makeReference(): ReadonlyMap<string, string> {
  return new Map(
    pages.flatMap((page) =>
      languages.map((language) => [folder + pagePath(page.name, language), render(page, language)] as const),
    ),
  );
}
