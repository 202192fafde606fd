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
is($node->safe_psql('demo', "SELECT event_count FROM aevon_windows('usgs', NULL, 'quakes')"), '1678', 'earthquakes of the week, one of them void');
is($node->safe_psql('demo', "SELECT event_count FROM aevon_windows('usgs', NULL, 'reports')"), '1707', 'reports less the void one, and the one for the worker');
like($output, qr/^\s+3 \| .* \| final\s+\|\s+49 \|\s+14 \|\s+13 \|/m, 'a revision of 3 February, with its late events');
like($output, qr/^\s+4 \| .* \| revised\s+\|\s+50 \|\s+15 \|\s+1 \|/m, 'a final day is revised');
like($output, qr/^\s+2 \| nc72963436 .* \| 23:24:51\s+\| t\s+\|\s+1 \|\s+4.33 \|\s+21$/m, 'the events behind a revision');
like($output, qr/^\s+5 \| revised\s+\|\s+-1 \|\s+49 \| 2\.3\s+\| nc72963436 \| voided \|\s+-4\.33 \| withdrawn by the network/m, 'the effect of the void, explained');
is(() = $output =~ /^ 2018-02-\d\d [\d:]+\+00 \| .* \| t$/mg, 11, 'the day as it was known at eleven times');
like($output, qr/^Checked: what was known at each time equals the recount/m, 'the recount of the past is the same');
like($output, qr/^Checked: every slice equals the recount/m, 'so do dimensions, percentiles and local days');
is($node->safe_psql('demo', "SELECT count(*), max(reason) FROM aevon.voids"), '1|withdrawn by the network', 'one void, with its reason');
is($node->safe_psql('demo', 'SELECT count(*) > 0 FROM aevon.sweeps WHERE by_worker'), 't', 'the worker swept');

# A copy of the demo whose recount leaves something out must fail.
$node->safe_psql('postgres', 'ALTER SYSTEM SET aevon.max_workers = 0; SELECT pg_reload_conf()');
break_demo('answers', 'demo/usgs.sql', "AND event_type = 'earthquake'",
	"AND event_type = 'earthquake' AND principal <> 'se'", 'the recount in plain SQL differs');
break_demo('arrival', 'demo/late.sql', 'AND e.ingested_at <= m.moment', '',
	'the day as it was known differs');
break_demo('voids', 'demo/late.sql', ' AND v.voided_at <= m.moment', '',
	'the day as it was known differs');
break_demo('slices', 'demo/slices.sql', "WHERE data ->> 'status' = 'reviewed' GROUP BY 1", 'GROUP BY 1',
	'a slice differs from the recount');

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

# Run a copy of the demo in which one file says something else; it must fail.
sub break_demo
{
	my ($name, $broken, $from, $to, $message) = @_;
	my $directory = "$PostgreSQL::Test::Utils::tmp_check/$name";
	my $changed = 0;

	mkdir $directory;
	mkdir "$directory/demo";
	foreach my $file (glob 'demo/*.sql')
	{
		my $text = slurp_file($file);

		$changed += $text =~ s/\Q$from\E/$to/ if $file eq $broken;
		append_to_file("$directory/$file", $text);
	}
	is($changed, 1, "$broken has what is to be broken");
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	my ($code, $out) = run_demo($name, "$directory/demo/usgs.sql");
	isnt($code, 0, "a difference in $name fails the demo");
	like($out, qr/demo failed: \Q$message\E/, 'and it says which');
	return;
}
