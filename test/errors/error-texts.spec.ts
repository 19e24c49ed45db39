import { errorTexts } from '../../src/errors/iam.error-texts.js';

describe('the texts of errors', () => {
  it.each(Object.entries(errorTexts))('may stand in an error_description: %s', (_code, { en }) => {
    expect(en).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
  });

  it.each(Object.entries(errorTexts))('are there in Chinese: %s', (_code, { zh }) => {
    expect(zh).toMatch(/\p{Script=Han}/u);
  });
});
