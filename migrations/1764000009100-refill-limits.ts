import type { QueryRunner } from 'typeorm';
import { ReplicaSafeMigration } from './replica-safe-migration.js';

/** `expire` in fractions of a millisecond: a bucket is this one time, at which it is full again. */
const limits = [
  'ALTER TABLE iam.rate_limits ALTER COLUMN expire TYPE double precision',
  'ALTER TABLE iam.rate_limits ADD COLUMN held integer NOT NULL DEFAULT 0',
];

/**
 * Takes one point of every tier, or of none. Kinds: `window` begins again when its time is over, `bucket` refills
 * evenly, `soft` is a bucket that refuses nobody: while it has points, its owner may use also what `shares` keeps of the
 * others. Rows are locked in the order of their keys. A refusal leaves no row behind.
 */
const takePoints = `
  CREATE FUNCTION iam.take_points(
    names text[], capacities integer[], spans double precision[], kinds text[], shares double precision[],
    OUT refused integer, OUT wait_ms double precision, OUT in_flight integer,
    OUT expires double precision[], OUT used double precision[]
  ) LANGUAGE plpgsql AS $$
  DECLARE
    locked integer;
    now_ms double precision;
    is_rare boolean;
  BEGIN
    LOOP
      INSERT INTO iam.rate_limits (key, points, expire)
        SELECT name, 0, 0 FROM unnest(names) AS name ORDER BY name ON CONFLICT DO NOTHING;
      PERFORM 1 FROM iam.rate_limits WHERE key = ANY (names) ORDER BY key FOR UPDATE;
      GET DIAGNOSTICS locked = ROW_COUNT;
      EXIT WHEN locked = cardinality(names);
    END LOOP;
    now_ms := extract(epoch FROM clock_timestamp()) * 1000;
    SELECT array_agg(CASE WHEN r.expire <= now_ms THEN 0 WHEN t.kind = 'window' THEN r.points
                          ELSE (r.expire - now_ms) * t.capacity / t.span END ORDER BY t.nr)
      INTO used
      FROM unnest(names, capacities, spans, kinds) WITH ORDINALITY AS t (name, capacity, span, kind, nr)
      JOIN iam.rate_limits r ON r.key = t.name;
    SELECT COALESCE(bool_or(t.used + 1 <= t.capacity + 0.000001), false) INTO is_rare
      FROM unnest(capacities, kinds, used) AS t (capacity, kind, used) WHERE t.kind = 'soft';
    SELECT t.nr, CASE WHEN t.kind = 'window' THEN r.expire - now_ms
                      ELSE (t.used + 1 - t.capacity * t.share) * t.span / t.capacity END,
           CASE WHEN t.kind = 'window' THEN r.held ELSE 0 END
      INTO refused, wait_ms, in_flight
      FROM (SELECT nr, name, capacity, span, kind, u AS used, CASE WHEN is_rare THEN 1 ELSE s END AS share
            FROM unnest(names, capacities, spans, kinds, used, shares)
              WITH ORDINALITY AS a (name, capacity, span, kind, u, s, nr)) AS t
      JOIN iam.rate_limits r ON r.key = t.name
      WHERE t.kind <> 'soft' AND t.used + 1 > t.capacity * t.share + 0.000001
      ORDER BY 2 DESC LIMIT 1;
    IF refused IS NOT NULL THEN
      DELETE FROM iam.rate_limits WHERE key = ANY (names) AND expire = 0;
      RETURN;
    END IF;
    UPDATE iam.rate_limits r SET
      points = CASE WHEN t.kind = 'window' THEN t.used::integer + 1 ELSE 0 END,
      held = CASE WHEN t.kind = 'window' AND r.expire > now_ms THEN r.held + 1 ELSE 1 END,
      expire = CASE WHEN t.kind <> 'window' THEN LEAST(GREATEST(r.expire, now_ms) + t.span / t.capacity, now_ms + t.span)
                    WHEN r.expire > now_ms THEN r.expire ELSE now_ms + t.span END
      FROM unnest(names, capacities, spans, kinds, used) AS t (name, capacity, span, kind, used)
      WHERE r.key = t.name;
    SELECT array_agg(r.expire ORDER BY t.nr) INTO expires
      FROM unnest(names) WITH ORDINALITY AS t (name, nr) JOIN iam.rate_limits r ON r.key = t.name;
  END
  $$`;

const refusals = [
  `CREATE TABLE iam.refusals (
    key text NOT NULL,
    hour timestamptz NOT NULL,
    count integer NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    action text NOT NULL,
    user_id uuid,
    client_id text,
    provider text,
    ip text,
    detail jsonb NOT NULL,
    PRIMARY KEY (key, hour)
  )`,
  'CREATE INDEX refusals_hour_idx ON iam.refusals (hour)',
];

/** Limits that refill by PostgreSQL's clock, and one audit entry for many refusals. */
export class RefillLimits1764000009100 extends ReplicaSafeMigration {
  readonly name = 'RefillLimits1764000009100';

  protected async apply(runner: QueryRunner): Promise<void> {
    for (const statement of [...limits, takePoints, ...refusals]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE iam.refusals');
    await runner.query('DROP FUNCTION iam.take_points');
    await runner.query('ALTER TABLE iam.rate_limits DROP COLUMN held');
    await runner.query('ALTER TABLE iam.rate_limits ALTER COLUMN expire TYPE bigint');
  }
}
