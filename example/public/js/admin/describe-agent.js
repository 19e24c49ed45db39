const systems = [
  ['Windows', /Windows/],
  ['iPhone', /iPhone/],
  ['iPad', /iPad/],
  ['Android', /Android/],
  ['macOS', /Macintosh/],
  ['Linux', /Linux/],
];
const browsers = [
  ['WeCom', /wxwork/i],
  ['WeChat', /MicroMessenger/],
  ['Edge', /Edg\//],
  ['Chrome', /Chrome\//],
  ['Firefox', /Firefox\//],
  ['Safari', /Safari\//],
];

/** A User-Agent in two words; what it does not know, shortened. */
export function describeAgent(agent) {
  const found = [browsers, systems].map((names) => names.find(([, sign]) => sign.test(agent))?.[0]);
  const known = found.filter((name) => name !== undefined);
  return known.length > 0 ? known.join(' · ') : agent.slice(0, 40);
}
