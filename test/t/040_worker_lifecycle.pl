# The worker of a database: comes with the extension, sweeps when it should,
# goes with the extension or the database, and is never in the way of a command
# that needs the database for itself.
use strict;
use warnings;

use AevonTest;
use AevonWorker;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# no sweep by the clock: what is swept is swept for its own reason
my $node = aevon_node('worker_lifecycle', conf => <<'EOC');
aevon.sweep_interval = '1h'
aevon.tail_target_events = 100
aevon.max_workers = 8
max_worker_processes = 16
EOC
$node->safe_psql('postgres', 'CREATE EXTENSION aevon');    # for aevon.workers

# CREATE EXTENSION
aevon_create($node, $_) foreach qw(one two);
wait_for_worker($node, $_, "state = 'idle' AND pid IS NOT NULL", "a worker in database $_")
  foreach qw(one two);
isnt(worker_value($node, 'one', 'pid'), worker_value($node, 'two', 'pid'),
	'each database has its own');
is( $node->safe_psql('postgres', <<"EOQ"), 'aevon worker|aevon worker', 'it can be told by its names');
	SELECT backend_type, application_name FROM pg_stat_activity
	WHERE datname = 'one' AND backend_type LIKE 'aevon%'
EOQ
is( $node->safe_psql('postgres', "SELECT count(*) FROM aevon.workers WHERE database LIKE 'template%'"),
	0, 'no worker where the extension is not');
is($node->safe_psql('one', 'SELECT count(*) FROM aevon.installation'),
	0, 'the worker writes nothing into an empty database');

# the tail's target
start_orders($node, 'one', 110);
start_orders($node, 'two', 120);
wait_for_worker($node, 'one', "state = 'idle' AND tail_events = 0", 'nothing is left to do');
ingest_orders($node, 'one', 111, 209);
is(worker_value($node, 'one', 'state, tail_events'), 'idle|99', 'below the target nobody stirs');
ingest_orders($node, 'one', 210, 210);
wait_until_swept($node, 'one', 'the tail passed its target');
wait_for_worker($node, 'one', "tail_events = 0 AND last_sweep_at IS NOT NULL", 'the tail is empty');
is_recount($node, 'one', 'after the target');

# the interval, changed by a reload
ingest_orders($node, 'one', 211, 220);
$node->safe_psql('postgres', "ALTER SYSTEM SET aevon.sweep_interval = '200ms'");
$node->reload;
wait_until_swept($node, 'one', 'the interval is over');
ingest_orders($node, 'one', 221, 230);
wait_until_swept($node, 'one', 'the interval is over again');
is_recount($node, 'one', 'after the interval');

# DROP EXTENSION and back
$node->safe_psql('two', 'DROP EXTENSION aevon');
wait_for_no_worker($node, 'two', 'the worker ends with the extension');
$node->safe_psql('two', 'CREATE EXTENSION aevon');
wait_for_worker($node, 'two', "state = 'idle'", 'it comes back with the extension');
$node->safe_psql('two', 'BEGIN; DROP EXTENSION aevon; CREATE EXTENSION aevon; COMMIT');
start_orders($node, 'two', 130);
is_recount($node, 'two', 'the extension was replaced under the worker');

# CREATE DATABASE ... TEMPLATE, with the worker connected
quickly('CREATE DATABASE copy TEMPLATE one', 'CREATE DATABASE from it as template');
wait_for_worker($node, 'copy', 'last_sweep_at IS NOT NULL', 'the copy has a worker of its own');
wait_for_worker($node, 'one', "state = 'idle'", 'the template has its worker back');
is_recount($node, 'copy', 'a copy');
ingest_orders($node, 'copy', 231, 240);
wait_until_swept($node, 'copy', 'events of the copy');
is_recount($node, 'copy', 'a copy with events of its own');

# ALTER DATABASE
quickly('ALTER DATABASE one RENAME TO uno', 'ALTER DATABASE RENAME');
wait_for_worker($node, 'uno', "state = 'idle'", 'the renamed database has its worker back');
ingest_orders($node, 'uno', 231, 235);
wait_until_swept($node, 'uno', 'events after the rename');
is_recount($node, 'uno', 'renamed');
my $tablespace = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$tablespace'");
quickly('ALTER DATABASE uno SET TABLESPACE elsewhere', 'ALTER DATABASE SET TABLESPACE');
ingest_orders($node, 'uno', 236, 240);
wait_until_swept($node, 'uno', 'events after the move');
is_recount($node, 'uno', 'moved');

# a rename within a transaction that is rolled back
quickly("BEGIN; ALTER DATABASE uno RENAME TO eins; ROLLBACK", 'a rename that is undone');
wait_for_worker($node, 'uno', "state = 'idle'", 'the worker is back after the rollback');

# a sweep that takes its time is in nobody's way either
make_sweeps_slow('uno');
ingest_orders($node, 'uno', 241, 245);
ok( $node->poll_query_until(
		'postgres',
		"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'uno' AND wait_event = 'PgSleep' AND backend_type = 'aevon worker')"),
	'a sweep is under way');
quickly('ALTER DATABASE uno RENAME TO one', 'ALTER DATABASE RENAME during a sweep');
wait_until_swept($node, 'one', 'the sweep that was cut short is done again');
is_recount($node, 'one', 'after a sweep that was cut short');

# no connections, no worker
$node->safe_psql('postgres', 'ALTER DATABASE copy ALLOW_CONNECTIONS false');
wait_for_no_worker($node, 'copy', 'no worker where connections are not allowed');
$node->safe_psql('postgres', 'ALTER DATABASE copy ALLOW_CONNECTIONS true');
wait_for_worker($node, 'copy', "state = 'idle'", 'it comes back when they are');

# DROP DATABASE, in vain and in earnest
my $session = $node->background_psql('copy');
my ($status, $stdout, $stderr) = $node->psql('postgres', 'DROP DATABASE copy');
isnt($status, 0, 'DROP DATABASE fails where somebody is connected');
like($stderr, qr/There is 1 other session using the database/, 'the worker is not counted');
wait_for_worker($node, 'copy', "state = 'idle'", 'the worker is back after a failed DROP DATABASE');

# the session that drops it is ended while it waits
my $drop = IPC::Run::start(
	[ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'DROP DATABASE copy' ],
	'>', \$stdout, '2>', \$stderr);
wait_for_worker($node, 'copy', 'pid IS NULL', 'the worker is kept away while DROP DATABASE waits');
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'DROP DATABASE copy'");
$drop->finish;
wait_for_worker($node, 'copy', "state = 'idle'", 'the worker is back after that session was ended');
$session->quit;
quickly('DROP DATABASE copy', 'DROP DATABASE');
wait_for_no_worker($node, 'copy', 'the worker ends with the database');
quickly('DROP DATABASE two', 'DROP DATABASE of another one');
wait_for_no_worker($node, 'two', 'its worker ends as well');

# somebody without the right to drop a database cannot send its worker away
$node->safe_psql('postgres', 'CREATE ROLE mallory LOGIN');
my $pid = worker_value($node, 'one', 'pid');
foreach my $command ('DROP DATABASE one', 'CREATE DATABASE mine TEMPLATE one',
	'ALTER DATABASE one RENAME TO mine')
{
	($status) = $node->psql('postgres', $command, connstr => $node->connstr('postgres') . ' user=mallory');
	isnt($status, 0, "refused: $command");
}
is(worker_value($node, 'one', 'pid'), $pid, 'the worker stayed');
is( $node->safe_psql('postgres', 'SET ROLE mallory; SELECT count(*) FROM aevon.workers'),
	0, 'and its state is not shown to everybody');

# restarts of the launcher and of the server
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'aevon launcher'");
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'aevon worker' AND datname = 'one'");
wait_for_worker($node, 'one', "state = 'idle' AND pid <> $pid", 'launcher and worker come back when terminated');
$node->restart;
wait_for_worker($node, 'one', "state = 'idle'", 'the worker comes back with the server');
is_recount($node, 'one', 'after a restart');

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$node->stop;
done_testing();

# A command that would wait five seconds, and fail, if a worker were in its way.
sub quickly
{
	my ($command, $what) = @_;
	my $start = time;

	$node->safe_psql('postgres', $command);
	cmp_ok(time - $start, '<', 4.5, "$what is not blocked by the worker");
	return;
}

# Every sweep sleeps for a minute before its end, as long as the database has
# that name.
sub make_sweeps_slow
{
	my ($database) = @_;

	$node->safe_psql($database, <<"EOQ");
		CREATE FUNCTION public.take_time() RETURNS trigger LANGUAGE plpgsql
			AS 'BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN NEW; END';
		CREATE TRIGGER take_time BEFORE INSERT ON aevon.sweeps
			FOR EACH ROW WHEN (current_database() = '$database') EXECUTE FUNCTION public.take_time();
EOQ
	return;
}
