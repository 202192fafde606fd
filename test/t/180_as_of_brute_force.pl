# as_of against brute force: thousands of random (subject, range, time) over
# imported events with arrival times of their own, late ones and voided ones,
# half of them swept, in buckets that straddle the time.

use strict;
use warnings;

use AevonTest;
use Test::More;

my $QUESTIONS = 3000;

my $node = aevon_node('as_of', quiet => 1, conf => "fsync = off\n");
aevon_create($node, 'postgres');
$node->safe_psql('postgres', <<'SQL');
SELECT setseed(0.17);
SELECT aevon_define_rule('n', 'x', '{sum,count,min,max}', 'v');
CREATE TABLE feed AS
SELECT 't'::text AS tenant, 'p' || floor(12 * power(random(), 2)) AS principal, i::text AS event_id, 'x'::text AS event_type,
	o AS occurred_at,
	o + CASE WHEN random() < 0.1 THEN random() * interval '3 days' ELSE random() * interval '20 seconds' END AS ingested_at,
	CASE WHEN random() < 0.05 THEN '{}' ELSE jsonb_build_object('v', (random() * 1000 - 200)::numeric(9, 2)) END AS data
FROM generate_series(1, 12000) i, LATERAL (SELECT '2024-03-01 00:00+00'::timestamptz + i * interval '100 seconds'
	+ random() * interval '5 minutes' AS o) x;
SELECT * FROM aevon_ingest_from('feed');
CREATE TABLE question AS
SELECT i, CASE floor(random() * 4) WHEN 0 THEN NULL ELSE 'p' || floor(12 * power(random(), 2)) END AS who, since,
	since + power(random(), 2) * interval '10 days' AS until,
	'2024-02-29 12:00+00'::timestamptz + random() * interval '18 days' AS back
FROM generate_series(1, 3000) i, LATERAL (SELECT '2024-02-29 12:00+00'::timestamptz + random() * interval '15 days' AS since) x;
SQL

# Void one event in fifty, at times spread over the weeks, in two halves.
sub void_some
{
	my ($remainder) = @_;
	$node->safe_psql('postgres', <<"SQL");
DO \$\$
DECLARE
	e record;
BEGIN
	FOR e IN SELECT principal, event_id, ingested_at FROM feed WHERE event_id::int % 100 = $remainder LOOP
		PERFORM set_config('aevon.clock', (e.ingested_at + (e.event_id::int % 7) * interval '1 day')::text, false);
		PERFORM aevon_void('t', e.principal, e.event_id, 'wrong');
	END LOOP;
END
\$\$
SQL
	return;
}

sub differences
{
	return $node->safe_psql('postgres', <<'SQL');
WITH log AS MATERIALIZED (
	SELECT p.principal, e.occurred_at, e.ingested_at, (e.data->>'v')::numeric AS v, coalesce(x.voided_at, 'infinity') AS voided_at
	FROM aevon.event_log e JOIN aevon.principals p USING (principal_key)
	LEFT JOIN aevon.voids x ON x.principal_key = e.principal_key AND x.event_id = e.event_id
), recount AS (
	SELECT q.i, count(l.occurred_at) AS n, coalesce(sum(l.v), 0) AS sum, min(l.v) AS min, max(l.v) AS max
	FROM question q
	LEFT JOIN log l ON (q.who IS NULL OR l.principal = q.who) AND l.occurred_at >= q.since AND l.occurred_at < q.until
		AND l.ingested_at <= q.back AND l.voided_at > q.back
	GROUP BY q.i
), answer AS (
	SELECT q.i, w.event_count, (w.stats->>'sum')::numeric, (w.stats->>'min')::numeric, (w.stats->>'max')::numeric
	FROM question q, aevon_windows('t', q.who, 'n', q.since, q.until, as_of => q.back) w
)
SELECT (SELECT count(*) FROM answer) || ' answers, ' ||
	(SELECT count(*) FROM recount WHERE n > 0) / 100 || ' hundred not empty, ' ||
	(SELECT count(*) FROM (TABLE recount EXCEPT TABLE answer) x) || ' differ'
SQL
}

my $expected = qr/^$QUESTIONS answers, (9|1\d|2\d) hundred not empty, 0 differ$/;
like(differences(), $expected, 'in the tail');
$node->safe_psql('postgres', 'SELECT aevon_sweep()');
like(differences(), $expected, 'swept');
void_some(3);
like(differences(), $expected, 'swept, with voids in the tail');
$node->safe_psql('postgres', 'SELECT aevon_sweep()');
void_some(53);
like(differences(), $expected, 'swept, with voids in the buckets and in the tail');
$node->safe_psql('postgres', 'SELECT aevon_sweep()');
like(differences(), $expected, 'all swept');
$node->stop;
done_testing();
