# The model checker while transaction ids pass 2^32: cuts hold the ids of two
# epochs, and running transactions from before.

use strict;
use warnings;

use AevonTest;
use Aevon::Checker;
use Aevon::Scenario;
use PostgreSQL::Test::Utils;
use Test::More;

my $EPOCH = 4_294_967_296;
my $IDS_PER_SEGMENT = 1_048_576;    # of pg_xact

my $node = aevon_node('wraparound', preload => 'aevon', start => 0, conf => Aevon::Checker->settings);

# Put the next transaction id there, at most 2^31 - 1 ahead.
sub advance_to
{
	my ($id) = @_;
	$node->start;
	my $wire = session($node);
	$wire->must('ALTER DATABASE template0 ALLOW_CONNECTIONS true');
	foreach my $dbname (qw(template0 template1 postgres))
	{
		my $there = session_when_up($node, $dbname);
		$there->must('VACUUM FREEZE');
		$there->disconnect;
	}
	$wire->must('ALTER DATABASE template0 ALLOW_CONNECTIONS false');
	$wire->disconnect;
	$node->stop;
	my $segment = sprintf '%s/pg_xact/%04X', $node->data_dir, $id / $IDS_PER_SEGMENT;
	if (!-e $segment)
	{
		open my $file, '>', $segment or die "$segment: $!";
		print $file "\0" x ($IDS_PER_SEGMENT / 4);
		close $file;
	}
	PostgreSQL::Test::Utils::system_or_bail('pg_resetwal', '-x', $id, '-D', $node->data_dir);
	return;
}

advance_to(1_400_000_000);
advance_to(2_800_000_000);
advance_to($EPOCH - 400);
$node->start;
my $before = session_when_up($node);
my $first = $before->value('SELECT pg_current_xact_id()');
cmp_ok($first, '<', $EPOCH, 'the next transaction id is below 2^32');
cmp_ok($first, '>', $EPOCH - 500, 'by little');
$before->disconnect;

my $checker = Aevon::Checker->new(
	node => $node, seed => $ENV{AEVON_TORTURE_SEED} || 32, seconds => 12,
	crash_every => 5, quiet_every => 4, cases => 30,
	note => sub { note(sprintf('%5.1f s ', time - $^T), @_) });
$checker->run;
is(scalar @{ $checker->{failures} }, 0, 'no difference');
diag("difference: $_") foreach splice @{ $checker->{failures} }, 0, 10;
cmp_ok($checker->{comparisons}, '>', 500, 'states were compared');

my $after = session_when_up($node, $checker->{dbname});
cmp_ok($after->value('SELECT pg_current_xact_id()'), '>', $EPOCH, 'transaction ids have passed 2^32');
cmp_ok($after->value('SELECT count(*) FROM aevon.event_log WHERE stamp < 4294967296'), '>', 0, 'there are events of before');
cmp_ok($after->value('SELECT count(*) FROM aevon.event_log WHERE stamp > 4294967296'), '>', 0, 'and of after');
$after->disconnect;
$node->stop;

done_testing();
