# AevonWorker: what the tests of the background workers share.
#
# The events are those of tenant "acme": principals p0 to p6, type "order",
# and an amount.  The rule "spent" sums them up.
package AevonWorker;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(define_spent ingest_orders start_orders worker_value
  wait_for_worker wait_for_no_worker wait_until_swept is_recount);

# What the log says, in plain SQL; principal NULL is the whole tenant.
my $recount = <<'EOQ';
	SELECT principal, count(*) AS event_count, sum((data ->> 'amount')::numeric) AS spent
	FROM aevon.events WHERE tenant = 'acme' GROUP BY ROLLUP (principal)
EOQ

# What the buckets say, without the tail.
my $in_buckets = <<'EOQ';
	SELECT principal, sum(event_count)::bigint AS event_count, sum(sum) AS spent
	FROM aevon.pre_aggregates WHERE rule = 'spent' GROUP BY principal
EOQ

# What Aevon answers.
my $answered = <<"EOQ";
	SELECT p.principal, w.event_count, w.value AS spent
	FROM ($recount) p
	CROSS JOIN LATERAL aevon_windows('acme', p.principal, 'spent') w
EOQ

sub define_spent
{
	my ($node, $database) = @_;

	$node->safe_psql($database,
		"SELECT aevon_define_rule('spent', 'order', ARRAY['sum', 'count'], 'amount')");
	return;
}

# Ingest orders number $from to $to, in one transaction.
sub ingest_orders
{
	my ($node, $database, $from, $to) = @_;

	$node->safe_psql($database, <<"EOQ");
		SELECT count(aevon_ingest('acme', 'p' || i % 7, 'e' || i, 'order',
			timestamptz '2026-01-01 00:00+00' + i * interval '11 seconds',
			jsonb_build_object('amount', i * 0.25)))
		FROM generate_series($from, $to) i
EOQ
	return;
}

# The rule, and orders that are swept: as many as pass the tail's target.
sub start_orders
{
	my ($node, $database, $count) = @_;

	# the new rule wakes the worker: it must find the orders there
	ingest_orders($node, $database, 1, $count);
	define_spent($node, $database);
	wait_until_swept($node, $database, 'the first orders');
	return;
}

# A column of the worker's row in aevon.workers.
sub worker_value
{
	my ($node, $database, $column) = @_;

	return $node->safe_psql('postgres',
		"SELECT $column FROM aevon.workers WHERE database = '$database'");
}

# Wait until the worker's row is as a condition says.
sub wait_for_worker
{
	my ($node, $database, $condition, $what) = @_;

	ok( $node->poll_query_until(
			'postgres',
			"SELECT EXISTS (SELECT FROM aevon.workers WHERE database = '$database' AND ($condition))"),
		$what)
	  or diag($node->safe_psql('postgres', 'SELECT * FROM aevon.workers'));
	return;
}

sub wait_for_no_worker
{
	my ($node, $database, $what) = @_;

	ok( $node->poll_query_until(
			'postgres', <<"EOQ"), $what);
		SELECT NOT EXISTS (SELECT FROM aevon.workers WHERE database = '$database')
			AND NOT EXISTS (SELECT FROM pg_stat_activity
				WHERE backend_type = 'aevon worker' AND datname = '$database')
EOQ
	return;
}

# Wait until the buckets hold what the log holds.
sub wait_until_swept
{
	my ($node, $database, $what) = @_;

	ok( $node->poll_query_until(
			$database,
			"SELECT NOT EXISTS (($recount) EXCEPT ($in_buckets)) AND EXISTS ($in_buckets)"),
		"swept: $what")
	  or diag($node->safe_psql('postgres', 'SELECT * FROM aevon.workers'));
	return;
}

# What Aevon answers is what a recount of the raw log gives.
sub is_recount
{
	my ($node, $database, $what) = @_;
	my $differences = $node->safe_psql($database,
		"($recount) EXCEPT ($answered) UNION ALL (($answered) EXCEPT ($recount))");
	my $rows = $node->safe_psql($database, "SELECT count(*) FROM ($answered) a");

	is($differences, '', "state equals a recount of the raw log: $what");
	cmp_ok($rows, '>', 1, "there is something to compare: $what");
	return;
}

1;
