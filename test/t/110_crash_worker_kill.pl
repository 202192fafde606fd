# The worker is killed between work and commit, again and again, and the server
# stopped at once and started again, with ingest going on: nothing is lost, and
# nothing counted twice.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use Test::More;
use Time::HiRes qw(sleep);

my $ROUNDS = 4;

my $node = aevon_node('crash', preload => 'aevon', conf => <<'CONF');
restart_after_crash = on
fsync = off
aevon.sweep_interval = '100ms'
CONF
my $wire = session($node);
install_scenario($wire);

my $acknowledged = 0;
my $perhaps = 0;

# Ingest; the connection may break meanwhile.
sub ingest_or_lose
{
	my ($name) = @_;
	my $n = 300;
	my $done = eval { ingest_some($wire, $name, $n); 1 };
	if ($done) { $acknowledged += $n; }
	else { $perhaps += $n; diag($@) unless $wire->{dead}; }
	return;
}

# The pid of the worker while it sweeps, that is: holds the lock on the cuts.
sub sweeping_worker
{
	my ($session) = @_;
	return $session->value(<<'SQL');
SELECT a.pid FROM pg_stat_activity a
JOIN pg_locks l ON l.pid = a.pid AND l.relation = 'aevon.sweep_checkpoints'::regclass
	AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
WHERE a.backend_type LIKE 'aevon%'
LIMIT 1
SQL
}

my $hit = 0;
foreach my $round (1 .. $ROUNDS)
{
	my $killed = wait_until(sub {
		ingest_or_lose("worker $round " . $hit++ . time);
		my $pid = sweeping_worker($wire);
		return $pid && kill 'KILL', $pid;
	}, 30);
	ok($killed, "round $round: the worker is killed while it sweeps");
	ingest_or_lose("after $round");
	$wire->disconnect;
	$wire = session_when_up($node);
	is_recounted($wire, "round $round: states equal a recount", 15);
}

foreach my $round (1 .. $ROUNDS)
{
	ingest_or_lose("stop $round");
	# the statement below is cut off by the stop
	$wire->send("SELECT aevon_ingest_batch('acme', (SELECT jsonb_agg(jsonb_build_object("
		  . "'principal', 'p' || i % 7, 'event_id', 'cut off $round-' || i, 'event_type', 'order',"
		  . "'data', jsonb_build_object('amount', i))) FROM generate_series(1, 2000) i))");
	$perhaps += 2000;
	sleep 0.02 * $round;
	$node->stop('immediate');
	$wire->disconnect;
	$node->start;
	$wire = session_when_up($node);
	is_recounted($wire, "stop $round: states equal a recount", 15);
}

my $total = event_total($wire);
cmp_ok($total, '>=', $acknowledged, 'every acknowledged event is in the log');
cmp_ok($total, '<=', $acknowledged + $perhaps, 'and no event twice');
is($wire->value('SELECT count(*) FROM (SELECT principal_key, event_id FROM aevon.event_log'
	  . ' GROUP BY 1, 2 HAVING count(*) > 1) twice'), 0, 'no event is in the log twice');

ok(wait_until(sub {
	$wire->value('SELECT coalesce(sum(tail_events), 0) = 0 FROM aevon.status') eq 't'
}, 60), 'the worker sweeps on and empties the tail');
is($wire->value("SELECT (aevon_state('acme', NULL, 'events')->'rules'->'events'->'values'->0->>'event_count')::bigint"
	  . " + (aevon_state('other', NULL, 'events')->'rules'->'events'->'values'->0->>'event_count')::bigint"),
	$total, 'the states count every event of the log once');
is_recounted($wire, 'swept states equal a recount');

$wire->disconnect;
$node->stop;
done_testing();
