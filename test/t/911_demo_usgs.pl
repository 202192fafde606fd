# The demo on the USGS week runs to its end, and would fail if an answer of
# Aevon's were not the recount's.
use strict;
use warnings;

use AevonTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = aevon_node('demo_usgs', quiet => 1);

$node->safe_psql('postgres', 'CREATE DATABASE demo');
my ($status, $output) = run_demo('demo', 'demo/usgs.sql');
is($status, 0, 'the demo ends well') or diag($output);
like($output, qr/^Checked: every answer equals the recount/m, 'the recount in plain SQL is the same');
like($output, qr/^\s+0 \|\s+1707 \|\s+0$/m, 'the replay is all duplicates');
like($output, qr/ci37868143.*exists with other content/, 'a changed report is refused');
is($node->safe_psql('demo', "SELECT event_count FROM aevon_windows('usgs', NULL, 'quakes')"), '1679', 'earthquakes of the week');
is($node->safe_psql('demo', "SELECT event_count FROM aevon_windows('usgs', NULL, 'reports')"), '1708', 'reports, and the one for the worker');
is($node->safe_psql('demo', 'SELECT count(*) > 0 FROM aevon.sweeps WHERE by_worker'), 't', 'the worker swept');

# A copy of the demo whose recount leaves something out must fail.
mkdir "$PostgreSQL::Test::Utils::tmp_check/demo";
foreach my $file (glob 'demo/*.sql')
{
	my $text = slurp_file($file);

	$text =~ s/AND event_type = 'earthquake'/AND event_type = 'earthquake' AND principal <> 'se'/
	  if $file eq 'demo/usgs.sql';
	append_to_file("$PostgreSQL::Test::Utils::tmp_check/$file", $text);
}
$node->safe_psql('postgres', 'ALTER SYSTEM SET aevon.max_workers = 0; SELECT pg_reload_conf()');
$node->safe_psql('postgres', 'CREATE DATABASE broken');
($status, $output) = run_demo('broken', "$PostgreSQL::Test::Utils::tmp_check/demo/usgs.sql");
isnt($status, 0, 'a difference fails the demo');
like($output, qr/demo failed: the recount in plain SQL differs/, 'and it says which');

$node->stop;
done_testing();

sub run_demo
{
	my ($database, $script) = @_;

	IPC::Run::run(
		[
			'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database),
			'-v', 'file=build/earthquakes.json', '-f', $script
		],
		'>&', \my $out);
	return ($?, $out);
}
