import { examplesOf, headingDepths, ormGuides } from './readme.js';
import { complaintsAbout } from './type-check.js';

const [guide, chinese] = ormGuides;

describe('the page for hosts without TypeORM', () => {
  it('has code that compiles', () => {
    const examples = examplesOf(guide);

    expect(examples.length).toBeGreaterThan(0);
    for (const [name, complaints] of complaintsAbout(examples))
      expect([name, complaints]).toEqual([name, []]);
  });

  it('is the same in both languages', () => {
    expect(examplesOf(chinese)).toEqual(examplesOf(guide));
    expect(headingDepths(chinese)).toEqual(headingDepths(guide));
  });
});
