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
done_testing();

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
