import { QueryFailedError } from 'typeorm';
import { toIamError } from '../../src/http/to-iam-error.js';

/** What TypeORM throws for an error of `pg`. */
const failed = (fields: object) =>
  new QueryFailedError('SELECT', [], Object.assign(new Error('refused'), fields));

describe('a reference between rows that is violated', () => {
  it.each([
    ['what a row of ours refers to has gone', { code: '23503', schema: 'iam' }, 'not_found'],
    ['a row of the host still refers to it', { code: '23503', schema: 'public' }, 'in_use'],
    ['a row of the host restricts it', { code: '23001', schema: 'public' }, 'in_use'],
  ])('says by its code that %s', (_what, fields, code) => {
    expect(toIamError(failed(fields)).code).toBe(code);
  });
});
