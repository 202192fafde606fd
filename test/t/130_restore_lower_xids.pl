# Dump and restore into a fresh cluster whose transaction ids are lower: reads
# and writes fail clearly until aevon_adopt(), then all is as before.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = aevon_node('source', quiet => 1, preload => 'aevon', start => 0);
# transaction ids three times around
PostgreSQL::Test::Utils::system_or_bail('pg_resetwal', '-e', '3', $source->data_dir);
$source->start;
my $wire = session($source);
install_scenario($wire);
ingest_some($wire, 'swept', 300);
$wire->must('SELECT aevon_sweep()');
ingest_some($wire, 'tail', 100);
cmp_ok($wire->value('SELECT min(stamp) FROM aevon.event_log'), '>', 3 << 32, 'stamps are high');

# a prepared and an open transaction at the time of the dump, swept across
$wire->must("BEGIN; SELECT aevon_ingest('acme', 'p1', 'prepared', 'order', '2024-05-01', '{\"amount\": 5}');"
	  . " PREPARE TRANSACTION 'across'");
my $open = session($source);
$open->must("BEGIN; SELECT aevon_ingest('acme', 'p2', 'open', 'order', '2024-05-01', '{\"amount\": 6}')");
ingest_some($wire, 'swept across', 100);
$wire->must('SELECT aevon_sweep()');
ingest_some($wire, 'last tail', 30);
my $before = answers($wire);
my $total = event_total($wire);

my $from = $source->connstr('postgres');
my $file = PostgreSQL::Test::Utils::tempdir() . '/dump';
my ($status, $output) = run_tool('pg_dump', '-Fc', '-f', $file, $from);
is($status, 0, 'pg_dump -Fc') or diag($output);

my %restore = (
	'pg_dump | psql' => sub { run_tool('pg_dump', $from, '|', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @_) },
	'pg_restore -j2' => sub { run_tool('pg_restore', '--exit-on-error', '-j2', '-d', $_[0], $file) });
my $number = 0;

# A database that was adopted is dumped and restored in its turn.
sub restore_once_more
{
	my ($node, $session) = @_;
	my $third = aevon_node('third', quiet => 1, preload => 'aevon');
	my $answers = answers($session);
	my ($failed, $said) = run_tool('pg_dump', $node->connstr('postgres'), '|', 'psql', '-X', '-q', '-v',
		'ON_ERROR_STOP=1', $third->connstr('postgres'));
	is($failed, 0, 'an adopted database is restored in its turn') or diag($said);
	my $there = session($third);
	needs_adoption($there, 'a second restore');
	$there->must('SELECT aevon_adopt()');
	is_adopted($there, 'a second restore', $answers, 'tail');
	$there->disconnect;
	$third->stop;
	return;
}

foreach my $how (sort keys %restore)
{
	my $target = aevon_node('target' . ++$number, quiet => 1, preload => 'aevon');
	($status, $output) = $restore{$how}->($target->connstr('postgres'));
	is($status, 0, "$how restores") or diag($output);
	my $there = session($target);
	is(event_total($there), $total, "$how: all events are there");
	needs_adoption($there, $how);
	my $waiting = session($target);
	$there->must('SELECT aevon_adopt()');
	is_adopted($there, $how, $before, 'swept');
	foreach my $id ('prepared', 'open')
	{
		is($there->value("SELECT aevon_ingest('acme', 'p1', '$id', 'order', '2024-05-01', '{\"amount\": 5}')"),
			'accepted', "$how: the $id transaction's event is not there, and can come");
	}
	is($there->value('SELECT max(stamp) = (SELECT max(stamp) FROM aevon.event_log WHERE event_id = \'open\')'
		  . ' FROM aevon.event_log'), 't', "$how: new stamps lie above old ones");
	is_recounted($there, "$how: and counts");

	# adopting twice is harmless
	$there->must('SELECT aevon_adopt()');
	is_recounted($waiting, "$how: after a second aevon_adopt()");
	$there->must('SELECT aevon_sweep()');
	is_recounted($waiting, "$how: and a sweep");
	restore_once_more($target, $there) if $number == 1;
	$_->disconnect foreach $there, $waiting;
	$target->stop;
}

# the source is none the worse
$open->must('COMMIT');
$wire->must("COMMIT PREPARED 'across'");
is_recounted($wire, 'the source counts what was open');
$_->disconnect foreach $wire, $open;
$source->stop;
done_testing();
