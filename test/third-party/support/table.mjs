const list = (items) => items.join('; ').replaceAll('|', '\\|');

/** What docs/third-party.md shows. */
export function markdownTable(results) {
  const rows = results.map(({ language, client, version, worked, failed, broken }) => {
    const not = [
      ...failed.map(({ what }) => what),
      ...broken.map(({ what }) => `${what} (the client's own fault)`),
    ];
    return `| ${language} | \`${client}\` | ${version} | ${list(worked)} | ${list(not)} |`;
  });
  return ['| language | client | version | worked | did not |', '|---|---|---|---|---|', ...rows].join('\n');
}
