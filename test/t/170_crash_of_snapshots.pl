# The worker is killed while it takes snapshots, and the server stopped at once
# and started again, with late events coming in: no changed day is forgotten,
# none is written down twice, and the snapshots end up equal to a recount.

use strict;
use warnings;

use AevonTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $ROUNDS = 3;

my $node = aevon_node('snapshots', preload => 'aevon', conf => <<'CONF');
restart_after_crash = on
fsync = off
aevon.sweep_interval = '100ms'
aevon.snapshot_interval = '100ms'
CONF
aevon_create($node, 'postgres');
$node->safe_psql('postgres',
	"SELECT aevon_define_rule('n', 'x', '{sum,count,min,max}', 'v')");

# Events of many principals and of today and the days before.
sub ingest
{
	my ($name) = @_;
	$node->psql('postgres', <<"SQL");
SELECT count(aevon_ingest('t', 'p' || i % 1500, '$name-' || i, 'x',
	now() - (i % 5) * interval '1 day', jsonb_build_object('v', i % 17)))
FROM generate_series(1, 3000) i
SQL
	return;
}

# The pid of the worker while it writes snapshots.
sub writing_worker
{
	my ($pid) = ('');
	$node->psql('postgres', <<'SQL', stdout => \$pid);
SELECT a.pid FROM pg_stat_activity a
JOIN pg_locks l ON l.pid = a.pid AND l.relation = 'aevon.snapshots'::regclass AND l.mode = 'RowExclusiveLock'
WHERE a.backend_type LIKE 'aevon%' LIMIT 1
SQL
	return $pid;
}

sub wait_for_server
{
	my $until = time + 60;
	while (time < $until)
	{
		return 1 if defined $node->psql('postgres', 'SELECT 1') && $node->psql('postgres', 'SELECT 1') == 0;
		sleep 0.1;
	}
	return 0;
}

foreach my $round (1 .. $ROUNDS)
{
	my $killed = 0;
	my $until = time + 60;
	for (my $n = 0; !$killed && time < $until; $n++)
	{
		ingest("kill $round.$n");
		for (1 .. 40)
		{
			my $pid = writing_worker();
			last if $pid && ($killed = kill 'KILL', $pid);
		}
	}
	ok($killed, "round $round: the worker is killed while it writes snapshots");
	ok(wait_for_server(), "round $round: the server is back");
}
foreach my $round (1 .. $ROUNDS)
{
	ingest("stop $round");
	for (1 .. 100) { last if writing_worker(); }
	$node->stop('immediate');
	$node->start;
	ok(wait_for_server(), "stop $round: the server is back");
}

$node->safe_psql('postgres', 'SELECT aevon_snapshot()');
my $recount = <<'SQL';
WITH log AS (
	SELECT e.tenant_key, e.principal_key, (e.occurred_at AT TIME ZONE 'UTC')::date - date '2000-01-01' AS day,
		(e.data->>'v')::numeric AS v
	FROM aevon.event_log e
), recount AS (
	SELECT principal_key AS subject_key, day, count(*) AS n, sum(v) AS sum, min(v) AS min, max(v) AS max FROM log GROUP BY 1, 2
	UNION ALL
	SELECT -tenant_key, day, count(*), sum(v), min(v), max(v) FROM log GROUP BY 1, 2
), last AS (
	SELECT DISTINCT ON (n.series_key, n.day) s.subject_key, n.day, n.event_count AS n, (n.stats->>'sum')::numeric AS sum,
		(n.stats->>'min')::numeric AS min, (n.stats->>'max')::numeric AS max
	FROM aevon.snapshots n JOIN aevon.series s USING (series_key)
	ORDER BY n.series_key, n.day, n.revision DESC
)
SQL
is($node->safe_psql('postgres', "$recount SELECT count(*) FROM (TABLE recount EXCEPT TABLE last) x"),
	'0', 'every day of the log is in the snapshots, as it is');
is($node->safe_psql('postgres', "$recount SELECT count(*) FROM (TABLE last EXCEPT TABLE recount) x"),
	'0', 'and nothing else is');
cmp_ok($node->safe_psql('postgres', 'SELECT max(revision) FROM aevon.snapshots'),
	'>', 1, 'days have several revisions');
is($node->safe_psql('postgres', <<'SQL'), '0', 'revisions are numbered without gaps, and deltas add up');
SELECT count(*) FROM (
	SELECT 1 FROM aevon.snapshots GROUP BY series_key, day
	HAVING max(revision) <> count(*) OR min(revision) <> 1
		OR sum((delta->>'sum')::numeric) <> (array_agg((stats->>'sum')::numeric ORDER BY revision DESC))[1]
		OR sum((delta->>'count')::bigint) <> (array_agg(event_count ORDER BY revision DESC))[1]) x
SQL
is($node->safe_psql('postgres', 'SELECT count(*) FROM aevon_verify()'), '0', 'verification finds no difference');
$node->stop;
done_testing();
