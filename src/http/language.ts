/** The languages of our own pages and texts. */
export type Language = 'zh' | 'en';

/** The first language of `Accept-Language` that we have, by weight; Chinese when none is named. */
export function preferredLanguage(acceptLanguage: string | undefined): Language {
  const wanted = (acceptLanguage ?? '')
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.trim().toLowerCase().split(';');
      const weight = parameters
        .map((each) => /^\s*q=([\d.]+)$/.exec(each)?.[1])
        .find((each) => each !== undefined);
      return { tag, weight: weight === undefined ? 1 : Number(weight) };
    })
    .sort((left, right) => right.weight - left.weight);
  const known = wanted.find(({ tag }) => tag.startsWith('zh') || tag.startsWith('en'));
  return known?.tag.startsWith('en') === true ? 'en' : 'zh';
}
