# Statistics in shared memory and health: exact under concurrency, gone after a
# crash or restart and with the extension, absent without preloading; bounded;
# the worker's failures counted; Prometheus's text passes promtool.
use strict;
use warnings;

use AevonTest;
use AevonWorker;
use PostgreSQL::Test::Utils;
use Test::More;

my $counted = 'SELECT accepted_count, duplicate_count, conflict_count FROM aevon.stat_tenant WHERE tenant = \'shop\'';
my $rule = "SELECT aevon_define_rule('spent', 'order', '{sum}', 'amount')";

concurrent_counts_are_exact();
worker_is_watched();
memory_is_bounded();
nothing_without_preloading();
done_testing();

sub concurrent_counts_are_exact
{
	my $node = aevon_node('counting', preload => 'aevon', quiet => 1);

	aevon_create($node, 'postgres');
	$node->safe_psql('postgres', $rule);
	$node->safe_psql('postgres', "SELECT aevon_ingest('shop', 'p', 'first', 'order')");

	# half of the transactions roll back; every tenth event is a retry
	append_to_file($node->basedir . '/mixed.sql', <<'EOS');
\set c :client_id
\set n random(1, 1000000000)
BEGIN;
SELECT aevon_ingest('shop', 'p' || :c, 'e' || :n, 'order', data => '{"amount": 1}');
SELECT aevon_ingest('shop', 'p', 'first', 'order');
SELECT aevon_state('shop', 'p' || :c, 'spent');
\set odd :n % 2
\if :odd
ROLLBACK;
\else
COMMIT;
\endif
EOS
	$node->command_ok([
		'pgbench', '-n', '-c', '8', '-j', '2', '-t', '250', '-M', 'prepared',
		'-f', $node->basedir . '/mixed.sql', $node->connstr('postgres')
	], 'eight clients');
	my $in_log = $node->safe_psql('postgres', "SELECT count(*) FROM aevon.events");
	my ($accepted, $duplicate, $conflict) = split /\|/, $node->safe_psql('postgres', $counted);
	cmp_ok($in_log, '>', 500, 'some committed');
	cmp_ok($in_log, '<', 1500, 'and some did not');
	is($accepted, $in_log, 'accepted is what is in the log');
	is($duplicate, $in_log - 1, 'duplicates of those that committed');
	is($conflict, 0, 'no conflict');
	is($node->safe_psql('postgres',
			"SELECT call_count FROM aevon.stat_query WHERE function = 'aevon_state'"),
		2000, 'every read counts');
	is($node->safe_psql('postgres', 'SELECT read_count FROM aevon.stat_rule'), 2000,
		'for its rule, too');
	is($node->safe_psql('postgres',
			"SELECT p95_ms > 0 AND p95_ms <= max_ms FROM aevon.stat_query WHERE function = 'aevon_state'"),
		't', 'there is a p95');

	check_with_promtool($node);

	# a prepared transaction counts when it is prepared
	$node->safe_psql('postgres',
		"BEGIN; SELECT aevon_ingest('shop', 'p', 'two phases', 'order'); PREPARE TRANSACTION 'one'");
	$node->safe_psql('postgres', "COMMIT PREPARED 'one'");
	is((split /\|/, $node->safe_psql('postgres', $counted))[0], $in_log + 1, 'a prepared one counts once');

	# a crash takes the statistics, and nothing else
	$node->stop('immediate');
	$node->start;
	is($node->safe_psql('postgres', $counted), '0|0|0', 'a crash sets them to zero');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM aevon.stat_query WHERE call_count > 0'),
		0, 'those of reads, too');
	is($node->safe_psql('postgres',
			"SELECT reset_at > pg_postmaster_start_time() - interval '1 s' FROM aevon.stat_sweep"),
		't', 'and they say since when they count');
	$node->safe_psql('postgres', "SELECT aevon_ingest('shop', 'p', 'after', 'order')");
	is($node->safe_psql('postgres', $counted), '1|0|0', 'they go on');

	# an extension made again begins anew, in sessions of before as well
	my $session = $node->background_psql('postgres');
	$session->query_safe('SELECT count(*) FROM aevon.stat_tenant');
	$node->safe_psql('postgres', 'DROP EXTENSION aevon; CREATE EXTENSION aevon');
	$session->query_safe("SELECT aevon_ingest('another', 'p', 'e', 'order')");
	is($session->query_safe('SELECT tenant, accepted_count FROM aevon.stat_tenant'), 'another|1',
		'an extension made again begins at zero');
	$session->quit;
	$node->stop;
	return;
}

# The whole database's and one tenant's, with names that need escapes.
sub check_with_promtool
{
	my ($node) = @_;
	my $odd = q{odd "name" \\ of é};

	$node->safe_psql('postgres', "SELECT aevon_ingest(\$\$$odd\$\$, 'p', 'e', 'order');"
		  . "SELECT aevon_define_rule(\$\$rule of $odd\$\$, 'order', '{count}', tenant => \$\$$odd\$\$);"
		  . 'SELECT aevon_sweep()');
	foreach my $call ('aevon_metrics()', "aevon_metrics(\$\$$odd\$\$)", "aevon_metrics('shop')")
	{
		my $text = $node->safe_psql('postgres', "SELECT $call") . "\n";
		my ($out, $err) = ('', '');

		ok(IPC::Run::run([ 'build/promtool', 'check', 'metrics' ],
				'<', \$text, '>', \$out, '2>', \$err), "promtool takes $call")
		  or diag($out, $err);
		is($out . $err, '', "and has no remark on $call");
	}
	my ($out, $err) = ('', '');
	my $bad = "# TYPE aevon_events counter\naevon_events 1\n";
	ok(!IPC::Run::run([ 'build/promtool', 'check', 'metrics' ], '<', \$bad, '>', \$out, '2>', \$err),
		'promtool can say no');
	$node->safe_psql('postgres', "SELECT aevon_drop_rule(\$\$rule of $odd\$\$, \$\$$odd\$\$)");

	# a histogram's buckets add up
	my @samples = split /\n/, $node->safe_psql('postgres', 'SELECT aevon_metrics()');
	my @state = map { /_bucket\{function="aevon_state",le="([^"]+)"\} (\d+)$/ ? [ $1, $2 ] : () } @samples;
	my ($count) = map { /_count\{function="aevon_state"\} (\d+)$/ ? $1 : () } @samples;
	cmp_ok(scalar @state, '>', 10, 'there are buckets');
	is($state[-1][0], '+Inf', 'up to infinity');
	is($state[-1][1], $count, 'where all calls are');
	is(scalar(grep { $state[$_][1] < $state[ $_ - 1 ][1] } 1 .. $#state), 0, 'and they never fall');
	is($node->safe_psql('postgres', <<"EOQ"), 't', 'the histogram agrees with aevon.stat_query');
		SELECT bool_and(p95_ms BETWEEN low * 950 AND high * 1000 * 1.05)
		FROM aevon.stat_query, (SELECT
			coalesce(max(le) FILTER (WHERE n < 0.95 * $count), 0) AS low, min(le) FILTER (WHERE n >= 0.95 * $count) AS high
			FROM (VALUES ${\join(', ', map { "($_->[0], $_->[1])" } @state[0 .. $#state - 1])}) v (le, n)) b
		WHERE function = 'aevon_state'
EOQ
	return;
}

# A worker that fails, that is refused, and that is not there.
sub worker_is_watched
{
	my $node = aevon_node('watched', preload => 'aevon', conf => "aevon.sweep_interval = 200ms\n");
	my $worker = "SELECT status FROM aevon_health() WHERE check_name = 'worker'";

	aevon_create($node, 'postgres');
	start_orders($node, 'postgres', 600);
	ok($node->poll_query_until('postgres', $worker, 'ok'), 'a worker that works is well');
	ok( $node->poll_query_until('postgres',
			'SELECT worker_sweep_count > 0 AND event_count >= 600 AND total_ms > 0 FROM aevon.stat_sweep'),
		'its sweeps are counted');
	is($node->safe_psql('postgres', 'SELECT error_count FROM aevon.stat_sweep'), 0, 'no error yet');

	$node->safe_psql('postgres', <<'EOQ');
		CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql
			AS $$ BEGIN RAISE EXCEPTION 'of tenant acme' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER fail BEFORE INSERT ON aevon.series FOR EACH ROW EXECUTE FUNCTION public.fail();
		CREATE TRIGGER fail_too BEFORE UPDATE ON aevon.series FOR EACH ROW EXECUTE FUNCTION public.fail();
		CREATE ROLE scraper IN ROLE pg_monitor;
EOQ
	ingest_orders($node, 'postgres', 601, 1200);
	ok($node->poll_query_until('postgres', $worker, 'critical'), 'a worker that fails is critical');
	ok($node->poll_query_until('postgres', 'SELECT error_count > 0 FROM aevon.stat_sweep'),
		'and its errors are counted');
	is($node->safe_psql('postgres', "SET ROLE scraper; SELECT count(*) FROM aevon.alerts WHERE detail ~ 'acme'"),
		0, 'what an error says is not for those who may not read it');
	$node->safe_psql('postgres', 'DROP FUNCTION public.fail() CASCADE');
	wait_until_swept($node, 'postgres', 'what was left');
	ok($node->poll_query_until('postgres', $worker, 'ok'), 'then all is well again');

	# no worker by setting is nobody's fault, and is said
	$node->append_conf('postgresql.conf', 'aevon.max_workers = 0');
	$node->reload;
	ok($node->poll_query_until('postgres', $worker, 'unknown'), 'no worker wanted: unknown');
	$node->stop;
	return;
}

sub memory_is_bounded
{
	my $node = aevon_node('bounded', preload => 'aevon', quiet => 1,
		conf => "aevon.stat_databases = 2\naevon.stat_entries = 100\n");

	aevon_create($node, $_) foreach qw(postgres one two);
	$node->safe_psql('postgres', $rule);
	$node->safe_psql('postgres',
		"SELECT count(aevon_ingest('t' || n, 'p', 'e', 'order')) FROM generate_series(1, 200) n");
	is($node->safe_psql('postgres', 'SELECT sum(accepted_count) FROM aevon.stat_tenant'), 200,
		'past the limit nothing is lost');
	is($node->safe_psql('postgres', 'SELECT accepted_count > 0 FROM aevon.stat_tenant WHERE tenant IS NULL'),
		't', 'it is counted together');
	like($node->safe_psql('postgres', 'SELECT aevon_metrics()'),
		qr/^aevon_ingest_events_total\{outcome="accepted"\} 200$/m, 'and is in the total');

	# two blocks for three databases
	my $ingest = "SELECT aevon_ingest('shop', 'p', 'e1', 'order'); SELECT aevon_state('shop') IS NOT NULL";
	$node->safe_psql('one', $ingest);
	is($node->safe_psql('one', 'SELECT sum(accepted_count) FROM aevon.stat_tenant'), 1, 'the second has statistics');
	is($node->safe_psql('two', $ingest), "accepted\nt", 'the third works without');
	is($node->safe_psql('two', 'SELECT count(*) FROM aevon.stat_tenant'), 0, 'and has none');
	is($node->safe_psql('two', "SELECT status FROM aevon_health() WHERE check_name = 'read_latency'"),
		'unknown', 'so nobody can tell');
	$node->safe_psql('postgres', 'DROP DATABASE one');
	$node->safe_psql('two', "SELECT aevon_ingest('shop', 'p', 'e2', 'order')");
	is($node->safe_psql('two', 'SELECT sum(accepted_count) FROM aevon.stat_tenant'), 1,
		'a database that is gone leaves its place');

	$node->append_conf('postgresql.conf', 'aevon.stat_databases = 0');
	$node->restart;
	is($node->safe_psql('two', "SELECT aevon_ingest('shop', 'p', 'e3', 'order')"), 'accepted', 'switched off');
	is($node->safe_psql('two', 'SELECT count(*) FROM aevon.stat_query'), 0, 'there are none');
	$node->stop;
	return;
}

sub nothing_without_preloading
{
	my $node = aevon_node('unloaded', preload => '');

	aevon_create($node, 'postgres');
	$node->safe_psql('postgres', $rule);
	$node->safe_psql('postgres', <<'EOQ');
		SELECT aevon_ingest('shop', 'p', 'e1', 'order', data => '{"amount": 1}');
		SELECT aevon_ingest_batch('shop', '[{"principal": "p", "event_id": ""}]', 'reject');
		SELECT aevon_void('shop', 'p', 'e1', 'test');
		SELECT aevon_state('shop');
		SELECT aevon_sweep();
		SELECT aevon_stat_reset();
EOQ
	is($node->safe_psql('postgres', "SELECT count(*) FROM aevon.$_"), 0, "aevon.$_ is empty")
	  foreach qw(stat_sweep stat_tenant stat_query);
	is($node->safe_psql('postgres', 'SELECT rule, series_count, read_count, reset_at FROM aevon.stat_rule'),
		'spent|2||', 'aevon.stat_rule has what is in tables');
	is($node->safe_psql('postgres',
			"SELECT string_agg(check_name, ',' ORDER BY check_name) FROM aevon_health() WHERE status = 'unknown'"),
		'conflicts,late_events,read_latency,worker', 'checks that need shared memory are unknown');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM aevon.alerts'), 0, 'which is no alert');
	is($node->safe_psql('postgres',
			"SELECT value FROM aevon_health() WHERE check_name = 'rejected_events'"), '0.1',
		'rejections are in a table');
	my $text = $node->safe_psql('postgres', 'SELECT aevon_metrics()') . "\n";
	ok(IPC::Run::run([ 'build/promtool', 'check', 'metrics' ], '<', \$text), 'promtool takes what is left');
	$node->stop;
	return;
}
