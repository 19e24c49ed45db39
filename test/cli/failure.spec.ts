import { CommandError, describeFailure, EnvironmentError, UsageError } from '../../cli/errors.js';
import { SealError } from '../../src/crypto/sealer.js';
import { IamError } from '../../src/errors/iam.error.js';

const postgres = (code: string, message = 'words of PostgreSQL') =>
  Object.assign(new Error(message), { code });

describe('a failure of a command', () => {
  it.each([
    [new UsageError('wrong'), 'usage', 2],
    [new EnvironmentError('wrong'), 'environment', 2],
    [new CommandError('wrong_key', 'wrong'), 'wrong_key', 1],
    [new IamError('in_use', 'wrong'), 'in_use', 1],
    [new SealError('unknown_key', '01234567'), 'wrong_key', 1],
    [postgres('42P01'), 'migrations_pending', 1],
    [postgres('42703'), 'migrations_pending', 1],
    [postgres('28P01'), 'environment', 2],
    [postgres('42501'), 'database_permission_missing', 1],
    [postgres('ECONNREFUSED', ''), 'database_unavailable', 1],
    [postgres('57P01'), 'database_unavailable', 1],
    [new Error('something'), 'internal_error', 1],
    ['something', 'internal_error', 1],
  ])('%s is %s, exit code %d', async (error, code, exitCode) => {
    expect(await describeFailure(error, [])).toMatchObject({ code, exitCode });
  });

  it('says who a merged user became', async () => {
    const error = new IamError('not_found', 'user 1 was merged', { members: { merged_into: '2' } });

    expect((await describeFailure(error, [])).message).toBe('user 1 was merged (merged_into: 2)');
  });

  it('loses what must not be seen, whoever has worded the message', async () => {
    const secrets = ['pa55word', 'the-key'];

    const { message } = await describeFailure(new Error('pa55word and the-key and pa55word'), secrets);

    expect(message).toBe('[secret] and [secret] and [secret]');
  });
});
