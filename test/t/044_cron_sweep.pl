# Without preloading: sweeps by pg_cron, which aevon_schedule() registers.
# slow
use strict;
use warnings;

use AevonTest;
use AevonWorker;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = aevon_node('cron_sweep', preload => 'pg_cron');
aevon_create($node, 'other');
$node->safe_psql('postgres', 'CREATE EXTENSION aevon SCHEMA public');

is($node->safe_psql('postgres', 'SELECT count(*) FROM aevon.workers'),
	0, 'not preloaded: no workers, and no error');

# what can be wrong
refused('postgres', "SELECT aevon_schedule()", '55000', 'without pg_cron',
	qr/CREATE EXTENSION pg_cron/);
$node->safe_psql('postgres', <<'EOQ');
	CREATE SCHEMA cron;
	CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE sql AS 'SELECT 666::bigint';
EOQ
refused('postgres', "SELECT aevon_schedule()", '55000', 'a schema "cron" that is not the one of pg_cron');
$node->safe_psql('postgres', 'DROP SCHEMA cron CASCADE; CREATE EXTENSION pg_cron');
refused('postgres', "SELECT aevon_schedule(NULL)", '22004', 'a schedule must be given');
refused('postgres', "SELECT aevon_schedule('now and then')", '22023', 'a bad schedule');
$node->safe_psql('postgres', 'CREATE ROLE clerk LOGIN');
refused('postgres', "SET ROLE clerk; SELECT aevon_schedule()", '42501', 'whoever may not operate');
my $hint = refused('other', "SELECT aevon_schedule()", '55000',
	'another database than that of pg_cron', qr/SELECT cron\.schedule_in_database\(.*?\);/);

# the jobs
my $job = $node->safe_psql('postgres', 'SELECT aevon_schedule()');
is( $node->safe_psql('postgres', "SELECT aevon_schedule('* * * * *')"), $job, 'registering twice keeps one job');
is( $node->safe_psql('postgres', 'SELECT count(*), min(jobname), min(command) FROM cron.job'),
	'1|aevon sweep|SELECT public.aevon_sweep()', 'the job calls aevon_sweep()');
$node->safe_psql('postgres', $hint);

foreach my $database (qw(postgres other))
{
	define_spent($node, $database);
	ingest_orders($node, $database, 1, 50);
}
wait_until_swept($node, $_, "by pg_cron in database $_") foreach qw(postgres other);
is($node->safe_psql($_, 'SELECT bool_or(by_worker) FROM aevon.sweeps'), 'f', "no worker was at work in $_")
  foreach qw(postgres other);
is_recount($node, $_, "swept by pg_cron in database $_") foreach qw(postgres other);

$node->stop;
done_testing();

# The statement fails with the SQLSTATE; returns what the pattern finds.
sub refused
{
	my ($database, $statement, $state, $what, $pattern) = @_;
	my ($status, $stdout, $stderr) =
	  $node->psql($database, "\\set VERBOSITY verbose\n$statement");

	like($stderr, qr/ERROR:  $state:/, "$state: $what");
	return '' if !$pattern;
	like($stderr, $pattern, "hint: $what");
	return $stderr =~ /($pattern)/ ? $1 : '';
}
