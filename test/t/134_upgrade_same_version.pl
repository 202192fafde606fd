# pg_upgrade (here from a version to itself): transaction ids carry over, the
# system identifier does not, so an operator adopts; then all is as before.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = aevon_node('old', preload => 'aevon', conf => "aevon.sweep_interval = '100ms'\n");
my $wire = session($old);
install_scenario($wire);
ingest_some($wire, 'swept', 300);
$wire->must('SELECT aevon_sweep()');
ingest_some($wire, 'tail', 100);
my $before = answers($wire);
$wire->disconnect;
$old->stop;

my $new = aevon_node('new', preload => 'aevon', start => 0, conf => "aevon.sweep_interval = '100ms'\n");
chdir PostgreSQL::Test::Utils::tempdir();    # pg_upgrade leaves files
my ($status, $output) = run_tool('pg_upgrade', '-b', $ENV{PGBIN}, '-B', $ENV{PGBIN}, '-d', $old->data_dir,
	'-D', $new->data_dir, '-s', $new->host, '-p', $old->port, '-P', $new->port, '-N');
is($status, 0, 'pg_upgrade goes through, with the library preloaded in both') or diag($output);

$new->start;
$wire = session($new);
needs_adoption($wire, 'upgraded');
$wire->must('SELECT aevon_adopt()');
is_adopted($wire, 'upgraded', $before, 'swept');
ingest_some($wire, 'for the worker', 100);
ok(wait_until(sub { $wire->value('SELECT sum(tail_events) = 0 FROM aevon.status') eq 't' }, 60),
	'the worker sweeps once adopted');
is_recounted($wire, 'and changes no answer');

$wire->disconnect;
$new->stop;
done_testing();
