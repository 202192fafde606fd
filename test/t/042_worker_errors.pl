# What the worker does when a sweep fails: it is recorded, shown, tried again,
# and when the cause is gone the backlog is drained.
use strict;
use warnings;

use AevonTest;
use AevonWorker;
use PostgreSQL::Test::Utils;
use Test::More;

my $rules = PostgreSQL::Test::Utils::tempdir();
my $node = aevon_node('worker_errors', conf => <<'EOC');
aevon.sweep_interval = '2s'
aevon.tail_target_events = 10
EOC
aevon_create($node, 'postgres');
start_orders($node, 'postgres', 10);

# an error of any kind: recorded, retried with pauses, and over when it is over
$node->safe_psql('postgres', <<'EOQ');
	CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql
		AS 'BEGIN RAISE EXCEPTION ''injected failure'' USING ERRCODE = ''53100''; END';
	CREATE TRIGGER fail BEFORE UPDATE ON aevon.sweep_checkpoints
		FOR EACH ROW EXECUTE FUNCTION public.fail();
EOQ
ingest_orders($node, 'postgres', 11, 100);
wait_for_worker($node, 'postgres', 'failures >= 2', 'a failed sweep is tried again');
is(worker_value($node, 'postgres', 'error_state, last_error'),
	'53100|injected failure', 'aevon.workers shows the error');
is_recount($node, 'postgres', 'while sweeps fail');
ingest_orders($node, 'postgres', 101, 200);
wait_for_worker($node, 'postgres', 'failures >= 3', 'and again');
cmp_ok(error_count("error_state = '53100' AND error_message = 'injected failure' AND by_worker AND event_count = 0"),
	'>=', 3, 'aevon.sweeps has a row for each failure');
is_recount($node, 'postgres', 'while sweeps fail and events come in');
$node->safe_psql('postgres', 'DROP FUNCTION public.fail() CASCADE');
wait_until_swept($node, 'postgres', 'the backlog, when the cause is gone');
wait_for_worker($node, 'postgres', "failures = 0 AND state = 'idle' AND last_error_at IS NOT NULL",
	'the failures are over, the last error stays to be seen');
like(slurp_file($node->logfile), qr/sweeps database "postgres" again after \d+ failures/,
	'the log notes the recovery');
is_recount($node, 'postgres', 'after the failures');

# a lock that is not to be had is no error
my $errors = error_count('error_state IS NOT NULL');
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE aevon.sweep_checkpoints IN EXCLUSIVE MODE');
ingest_orders($node, 'postgres', 201, 300);
ok( $node->poll_query_until(
		'postgres',
		"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'aevon worker' AND query LIKE '%lock was not available%')"),
	'the worker gives up waiting for a lock');
$locker->query_safe('COMMIT');
$locker->quit;
wait_until_swept($node, 'postgres', 'after the lock was released');
is(error_count('error_state IS NOT NULL'), $errors, 'a lock timeout is not recorded as an error');
is(worker_value($node, 'postgres', 'failures'), 0, 'nor counted as a failure');

# a cancel: an idle worker ignores it
my $pid = worker_value($node, 'postgres', 'pid');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)") foreach 1 .. 3;
ingest_orders($node, 'postgres', 301, 350);
wait_until_swept($node, 'postgres', 'after a cancel');
is(worker_value($node, 'postgres', 'pid, failures'), "$pid|0", 'a cancel is no failure');

# rule files: a bad one is reported, and the worker goes on
append_to_file("$rules/bad.yaml", "name: broken\nsource_event: order\noperator: nonsense\n");
$node->safe_psql('postgres', "ALTER SYSTEM SET aevon.config_dir = '$rules'");
$node->reload;
wait_for_worker($node, 'postgres', "last_error LIKE '%nonsense%' OR last_error LIKE '%bad.yaml%'",
	'a bad rule file is shown');
ingest_orders($node, 'postgres', 351, 400);
wait_until_swept($node, 'postgres', 'in spite of the bad rule file');
is(worker_value($node, 'postgres', 'failures'), 0, 'a bad rule file does not stop the worker');
unlink "$rules/bad.yaml";
append_to_file("$rules/orders.yaml", "name: orders\nsource_event: order\noperator: count\n");
$node->restart;
ok( $node->poll_query_until(
		'postgres', "SELECT EXISTS (SELECT FROM aevon.rule_versions WHERE rule = 'orders' AND state = 'active')"),
	'good rule files are loaded when the worker starts');
is( $node->safe_psql('postgres', "SELECT event_count FROM aevon_windows('acme', NULL, 'orders')"),
	400, 'and the rule sees old events');

# the restore guard refuses: shown, not written
$node->safe_psql('postgres', 'UPDATE aevon.installation SET system_identifier = 1');
$errors = error_count('true');
$node->restart;
wait_for_worker($node, 'postgres', "state = 'refused' AND error_state = '55000'",
	'foreign tables are not swept');
$node->reload;    # another round
is(error_count('true'), $errors, 'and nothing is written to them');
my $refusals = () = slurp_file($node->logfile) =~ /does not sweep database "postgres"/g;
is($refusals, 1, 'the log tells it once');
$node->safe_psql('postgres', 'SELECT aevon_adopt()');
wait_for_worker($node, 'postgres', "state = 'idle' AND last_sweep_at > last_error_at",
	'after aevon_adopt() sweeps go on');
ingest_orders($node, 'postgres', 401, 420);
wait_until_swept($node, 'postgres', 'after aevon_adopt()');
is_recount($node, 'postgres', 'after aevon_adopt()');

$node->stop;
done_testing();

sub error_count
{
	my ($condition) = @_;

	return $node->safe_psql('postgres', "SELECT count(*) FROM aevon.sweeps WHERE $condition");
}
