# A restore where a preloaded worker is awake all the time, into another
# cluster and into another database of the same; and one where a client ingests
# before the restore is over: whatever happens is loud.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $AWAKE = "aevon.sweep_interval = '100ms'\n";

my $source = aevon_node('source', preload => 'aevon', start => 0, conf => $AWAKE);
PostgreSQL::Test::Utils::system_or_bail('pg_resetwal', '-e', '3', $source->data_dir);
$source->start;
$source->safe_psql('postgres', 'CREATE DATABASE origin');
my $wire = session($source, 'origin');
install_scenario($wire);
ingest_some($wire, 'swept', 600);
$wire->must('SELECT aevon_sweep()');
ingest_some($wire, 'tail', 200);
my $before = answers($wire);
my $total = event_total($wire);

my $file = PostgreSQL::Test::Utils::tempdir() . '/dump';
my ($status, $output) = run_tool('pg_dump', '-Fc', '-f', $file, $source->connstr('origin'));
is($status, 0, 'pg_dump -Fc') or diag($output);

my $target = aevon_node('target', preload => 'aevon', conf => $AWAKE);

foreach my $case ([ $target, 'another cluster' ], [ $source, 'another database' ])
{
	my ($node, $name) = @$case;
	foreach my $jobs (1, 2)
	{
		my $dbname = "copy$jobs";
		$node->safe_psql('postgres', "CREATE DATABASE $dbname");
		($status, $output) = run_tool('pg_restore', '--exit-on-error', "-j$jobs", '-d',
			$node->connstr($dbname), $file);
		is($status, 0, "$name, $jobs jobs: restores with the worker awake") or diag($output);
		sleep 0.5;    # the worker finds the tables and must leave them alone
		my $there = session($node, $dbname);
		is(event_total($there), $total, "$name, $jobs jobs: all events are there");
		needs_adoption($there, "$name, $jobs jobs");
		$there->must('SELECT aevon_adopt()');
		is_adopted($there, "$name, $jobs jobs", $before, 'swept');
		ingest_some($there, 'for the worker', 100);
		ok(wait_until(sub {
			$there->value('SELECT sum(tail_events) = 0 FROM aevon.status') eq 't'
		}, 60), "$name, $jobs jobs: the worker sweeps once adopted");
		is_recounted($there, "$name, $jobs jobs: and changes no answer");
		$there->disconnect;
	}
}

# plain text, so that the data of each table arrives row after row, slowly
$target->safe_psql('postgres', 'CREATE DATABASE plain');
($status, $output) = run_tool('pg_dump', $source->connstr('origin'), '|', 'psql', '-X', '-q', '-v',
	'ON_ERROR_STOP=1', $target->connstr('plain'));
is($status, 0, 'plain text restores with the worker awake') or diag($output);
my $there = session($target, 'plain');
needs_adoption($there, 'plain text');
$there->must('SELECT aevon_adopt()');
is(answers($there), $before, 'plain text: the same answers');
$there->disconnect;

# A client that ingests as soon as it can, while the restore runs.  Either it
# is refused, or the restore says that it failed.
foreach my $round (1 .. 3)
{
	my $dbname = "busy$round";
	$target->safe_psql('postgres', "CREATE DATABASE $dbname");
	my $restore = IPC::Run::start([ 'pg_restore', '-d', $target->connstr($dbname), $file ], '2>', \$output);
	my $client = session($target, $dbname);
	my %answers;
	my $tries = 0;
	while ($restore->pumpable)
	{
		my $result = $client->query("SELECT aevon_ingest('acme', 'p1', 'meanwhile " . $tries++ . "', 'order')");
		$answers{ $result->{error} ? $result->{error}{C} : $result->{rows}[0][0] }++;
		$restore->pump_nb;
		last if ($answers{accepted} // 0) > 3000;
		sleep 0.002 * $round;
	}
	my $restored = $restore->finish;
	my $taken = $answers{accepted} // 0;
	note("round $round: ", join(', ', map { "$_ $answers{$_}" } sort keys %answers));
	# 42883: the function is not there yet; 40P01/55P03: a lock of the restore's
	is(join(' ', grep { !/^(accepted|55000|42883|3F000|42P01|40P01)$/ } sort keys %answers), '',
		"round $round: a client meanwhile gets an answer or a clear error");
	ok(!$restored || $taken == 0, "round $round: no event is taken while a restore goes through ($taken taken)");
	if ($restored)
	{
		$client->must('SELECT aevon_adopt()');
		is(answers($client), $before, "round $round: the same answers");
	}
	$client->disconnect;
}

# The same, surely in between: the restore must not go through in silence.
$target->safe_psql('postgres', 'CREATE DATABASE between');
($status, $output) = run_tool('pg_restore', '--section=pre-data', '-d', $target->connstr('between'), $file);
is($status, 0, 'the definitions are restored') or diag($output);
$there = session($target, 'between');
my $result = $there->query("SELECT aevon_ingest('acme', 'p1', 'meanwhile', 'order')");
($status, $output) = run_tool('pg_restore', '--section=data', '--section=post-data', '-d',
	$target->connstr('between'), $file);
my $answer = $result->{error} ? $result->{error}{C} : $result->{rows}[0][0];
ok($answer eq '55000' || $status != 0, "an event taken between definitions and data: $answer, the restore says "
	  . ($status ? 'that it failed' : 'nothing'));
$there->disconnect;

$wire->disconnect;
$source->stop;
$target->stop;
done_testing();
