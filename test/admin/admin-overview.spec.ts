import { AdminClient, adminOptions, adminWithPermissions } from '../support/admin.js';
import { startWorld, type World } from '../support/iam-app.js';
import { countQueries } from '../support/query-counter.js';
import { inWechat, onPc } from '../support/signed-in.js';

/** The id that an entry of this age has (RFC 9562 §5.7). */
const idOfAge =
  "encode(substring(int8send((extract(epoch FROM now() - $1::interval) * 1000)::bigint) FROM 3), 'hex')";

describe('the overview of the administration', () => {
  let world: World;
  let admin: AdminClient;

  beforeAll(async () => {
    world = await startWorld({ options: adminOptions });
    admin = new AdminClient(world.url);
  });
  afterAll(() => world.close());

  const enter = (age: string, action: string, detail: object) =>
    world.dataSource.query(
      `INSERT INTO iam.audit_log (id, at, action, detail)
       SELECT (${idOfAge} || '7000' || '8' || substring(encode(uuid_send(gen_random_uuid()), 'hex') FROM 1 FOR 15))::uuid,
              now() - $1::interval, $2, $3`,
      [age, action, detail],
    );

  it('counts sign-ins of a day and a week by way and outcome, those of refusals in bulk too', async () => {
    const lan = world.wechat.person({ nickname: '小兰' });
    await onPc(world, lan);
    await onPc(world, lan);
    await inWechat(world, world.wechat.person({ nickname: 'Mei' }));
    await enter('2 days', 'login.authenticated', { method: 'open' });
    await enter('8 days', 'login.authenticated', { method: 'open' });
    await enter('3 hours', 'login.failed', { method: 'mp', error: 'snapshot_user' });
    await enter('3 days', 'login.failed', { method: 'mp', error: 'snapshot_user', count: 40 });
    await enter('1 hour', 'login.number_denied', { openid: 'o' });

    const reply = await admin.get('overview');

    expect(reply.status).toBe(200);
    const { sign_ins: counts, is_complete: isComplete } = reply.json();
    expect(isComplete).toBe(true);
    expect(counts).toEqual(
      expect.arrayContaining([
        { method: 'open', outcome: 'signed_up', error: null, day: 1, week: 1 },
        { method: 'open', outcome: 'signed_in', error: null, day: 1, week: 2 },
        { method: 'mp', outcome: 'signed_up', error: null, day: 1, week: 1 },
        { method: 'mp', outcome: 'failed', error: 'snapshot_user', day: 1, week: 41 },
        { method: 'follow', outcome: 'denied', error: null, day: 1, week: 1 },
      ]),
    );
    expect(counts).toHaveLength(5);
  });

  it('has what the health check finds, and reads the audit log once', async () => {
    await world.dataSource.query(
      `INSERT INTO iam.webhook_events (id, provider, dedupe_key, event, event_at, message, status)
       VALUES (gen_random_uuid(), 'wechat', 'k1', 'subscribe', now(), '{}', 'dead')`,
    );

    const counter = countQueries();
    const mark = counter.mark();
    const { health } = (await admin.get('overview')).json();
    const texts = counter.since(mark);
    counter.stop();

    expect(health).toMatchObject({ status: 'up', problems: ['inbox_dead'], inbox: { dead: 1 } });
    expect(texts.filter((text) => text.includes('FROM iam.audit_log a'))).toHaveLength(1);
  });

  it('shows the health check to those alone who see the providers', async () => {
    const auditor = await adminWithPermissions(world, 'iam:audit:read');
    const operator = await adminWithPermissions(world, 'iam:audit:read', 'iam:providers:read');

    const [counts, whole] = [await auditor.get('overview'), await operator.get('overview')];

    expect(counts.json()).toMatchObject({ health: null, is_complete: true });
    expect(whole.json()['health']).toMatchObject({ status: 'up' });
  });
});
