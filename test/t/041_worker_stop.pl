# The worker stops at once on shutdown, in the midst of a sweep too, and
# nothing is lost by it.
use strict;
use warnings;

use AevonTest;
use AevonWorker;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = aevon_node('worker_stop', conf => <<'EOC');
aevon.sweep_interval = '1h'
aevon.tail_target_events = 1000
aevon.sweep_batch_events = 500
EOC
aevon_create($node, 'postgres');
start_orders($node, 'postgres', 1000);

# each batch takes a second: a backlog of forty
$node->safe_psql('postgres', <<'EOQ');
	CREATE FUNCTION public.take_time() RETURNS trigger LANGUAGE plpgsql
		AS 'BEGIN PERFORM pg_catalog.pg_sleep(1); RETURN NEW; END';
	CREATE TRIGGER take_time BEFORE INSERT ON aevon.sweeps
		FOR EACH ROW EXECUTE FUNCTION public.take_time();
EOQ
foreach my $batch (0 .. 39)
{
	ingest_orders($node, 'postgres', 1001 + $batch * 500, 1500 + $batch * 500);
}
my $before = sweep_count();
ok( $node->poll_query_until('postgres', "SELECT count(*) >= $before + 1 FROM aevon.sweeps"),
	'the backlog is drained in batches, each with a commit of its own');
wait_for_worker($node, 'postgres', "state = 'sweeping'", 'more is to be done');
is_recount($node, 'postgres', 'in the midst of a backlog');

foreach my $mode (qw(fast immediate))
{
	my $start = time;
	$node->stop($mode);
	cmp_ok(time - $start, '<', 10, "$mode shutdown in the midst of a sweep is quick");
	$node->start;
	is_recount($node, 'postgres', "after a $mode shutdown");
}

my $swept = $node->safe_psql('postgres',
	"SELECT sum(event_count) FROM aevon.pre_aggregates WHERE rule = 'spent' AND principal IS NULL");
cmp_ok($swept, '<', 21000, 'the stops came before the end');
$node->safe_psql('postgres', 'DROP FUNCTION public.take_time() CASCADE');
wait_until_swept($node, 'postgres', 'the rest of the backlog');
is_recount($node, 'postgres', 'at the end');
cmp_ok($node->safe_psql('postgres', 'SELECT max(event_count) FROM aevon.sweeps'),
	'<=', 1000, 'no batch took more than a bounded one and one transaction');

$node->stop;
done_testing();

sub sweep_count
{
	return $node->safe_psql('postgres', 'SELECT count(*) FROM aevon.sweeps');
}
