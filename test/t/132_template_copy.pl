# CREATE DATABASE ... TEMPLATE gives a database that answers the same at once,
# with a worker connected to the template; and both go on apart.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use Test::More;

my $node = aevon_node('template', preload => 'aevon', conf => "aevon.sweep_interval = '100ms'\n");
$node->safe_psql('postgres', 'CREATE DATABASE origin');
my $wire = session($node, 'origin');
install_scenario($wire);
ingest_some($wire, 'swept', 300);
$wire->must('SELECT aevon_sweep()');
ok(wait_until(sub {
	$wire->value("SELECT count(*) FROM pg_stat_activity WHERE datname = 'origin' AND backend_type LIKE 'aevon%'")
}, 60), 'a worker is connected to the template');
ingest_some($wire, 'tail', 100);
my $before = answers($wire);
$wire->disconnect;

foreach my $round (1 .. 3)
{
	my $postgres = session($node);
	my $result = $postgres->query("CREATE DATABASE copy$round TEMPLATE origin");
	ok(!$result->{error}, "copy $round is made") or diag($result->{error}{M});
	$postgres->disconnect;

	my $copy = session($node, "copy$round");
	is(answers($copy), $before, "copy $round: the same answers at once");
	is_adopted($copy, "copy $round", $before, 'swept');
	ok(wait_until(sub { $copy->value('SELECT sum(tail_events) = 0 FROM aevon.status') eq 't' }, 60),
		"copy $round: a worker sweeps here");
	is_recounted($copy, "copy $round: and changes no answer");
	$copy->disconnect;
}

$wire = session($node, 'origin');
is(answers($wire), $before, 'the template has its own events only');
ingest_some($wire, 'more', 100);
is_recounted($wire, 'and goes on');
$wire->disconnect;
$node->stop;
done_testing();
