# More databases than workers, or than the server has processes for: they take
# turns, and each is swept.
use strict;
use warnings;

use AevonTest;
use AevonWorker;
use PostgreSQL::Test::Utils;
use Test::More;

my @databases = map { "db$_" } 1 .. 5;

take_turns('worker_turns', 2, <<'EOC');
aevon.max_workers = 2
EOC

# the launcher itself needs one of these
my $log = take_turns('worker_room', 2, <<'EOC');
aevon.max_workers = 4
max_worker_processes = 3
max_logical_replication_workers = 0
max_parallel_workers = 0
EOC
like($log, qr/all background worker slots are in use/, 'the log tells of missing room');
few_slots();
done_testing();

# More databases than slots in shared memory: those without the extension do
# not keep theirs, and a database that finds none is not forgotten.
sub few_slots
{
	my $node = aevon_node('worker_slots', preload => 'aevon', conf => "aevon.max_databases = 3\n");

	$node->safe_psql('postgres', 'CREATE EXTENSION aevon');
	$node->safe_psql('postgres', "CREATE DATABASE $_") foreach map { "plain$_" } 1 .. 4;
	aevon_create($node, $_) foreach qw(db1 db2);
	$node->restart;
	wait_for_worker($node, $_, "state = 'idle'", "few slots: a worker in $_") foreach qw(db1 db2);
	aevon_create($node, 'db3');
	$node->wait_for_log(qr/Aevon looks after the first 3 databases only/);
	pass('few slots: the log tells of it');
	$node->safe_psql('postgres', 'DROP DATABASE db1');
	wait_for_worker($node, 'db3', "state = 'idle'", 'few slots: one that is freed is used');

	# settings that take effect at once
	$node->safe_psql('postgres', 'ALTER SYSTEM SET aevon.max_workers = 0');
	$node->reload;
	ok( $node->poll_query_until(
			'postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'aevon worker'"),
		'max_workers = 0: all leave');
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET aevon.max_workers');
	$node->reload;
	start_orders($node, $_, 500) foreach qw(db2 db3);
	is_recount($node, $_, "few slots, $_") foreach qw(db2 db3);
	$node->stop;
	return;
}

sub take_turns
{
	my ($name, $most, $conf) = @_;
	my $node = aevon_node($name, preload => 'aevon', conf => "aevon.sweep_interval = '500ms'\n$conf");

	$node->safe_psql('postgres', 'CREATE EXTENSION aevon');
	aevon_create($node, $_) foreach @databases;
	define_spent($node, $_) foreach @databases;
	foreach my $round (1 .. 3)
	{
		my $number = 0;

		ingest_orders($node, $_, $round * 100, $round * 100 + 20 * ++$number) foreach @databases;
		wait_until_swept($node, $_, "$name, $_, round $round") foreach @databases;
		cmp_ok(
			$node->safe_psql('postgres',
				"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'aevon worker'"),
			'<=', $most, "$name: at most $most at once, round $round");
	}
	is_recount($node, $_, "$name, $_") foreach @databases;

	# a command that needs a database is not in the way of the turns
	$node->safe_psql('postgres', 'DROP DATABASE db3');
	ingest_orders($node, 'db5', 1000, 1100);
	wait_until_swept($node, 'db5', "$name, after one database less");
	is_recount($node, 'db5', "$name, after one database less");
	$node->stop;
	return slurp_file($node->logfile);
}
