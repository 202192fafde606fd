# The demo on a real access log: what it shows is what awk counts in the file.
use strict;
use warnings;

use AevonTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $log = 'test/data/apache_access_log.gz';
my $site = 'semicomplete.com';
my $node = aevon_node('demo_log', quiet => 1);

$node->safe_psql('postgres', 'CREATE DATABASE demo');
my ($status, $output) = run_demo('demo', '');
is($status, 0, 'the demo ends well') or diag($output);
like($output, qr/^Tenant: \Q$site\E$/m, 'the site is found in the referers');
like($output, qr/^Checked: every answer equals the recount/m, 'the recount in plain SQL is the same');
like($output, qr/^\s+0 \|\s+10000 \|\s+0$/m, 'the replay is all duplicates');

# All events, then days, then clients: requests, bytes, largest, errors.
is(aevon(undef, 'total'), awk('1'), 'the whole log');
foreach my $day (17 .. 20)
{
	is(aevon(undef, 'total', "2015-05-$day", '2015-05-' . ($day + 1)),
		awk("substr(\$4, 2, 11) == \"$day/May/2015\""),
		"$day May");
}
foreach my $client (qw(client-0001 client-0004 client-0008 client-0500 client-1162 client-1753))
{
	is(aevon($client, 'total'), awk("\$1 == \"$client\""), $client);
	is(aevon($client, 'total', '2015-05-19', '2015-05-20'),
		awk("\$1 == \"$client\" && substr(\$4, 2, 11) == \"19/May/2015\""),
		"$client, 19 May");
}
is($node->safe_psql('demo', 'SELECT count(DISTINCT principal) FROM aevon.events WHERE event_type = \'http.request\''),
	distinct_clients(), 'clients');

# Another name for the tenant.
$node->safe_psql('postgres', 'CREATE DATABASE named');
($status, $output) = run_demo('named', 'my-site');
is($status, 0, 'the demo ends well with a name given') or diag($output);
like($output, qr/^Tenant: my-site$/m, 'SITE names the tenant');

# Not a log.
$node->safe_psql('postgres', 'CREATE DATABASE wrong');
($status, $output) = run_demo('wrong', '', 'test/data/README.md');
isnt($status, 0, 'a file that is no access log fails the demo');
like($output, qr/No line of this file looks like an access log/, 'and it says why');

$node->stop;
done_testing();

sub run_demo
{
	my ($database, $name, $file) = @_;

	$node->safe_psql('postgres', 'ALTER SYSTEM SET aevon.max_workers = 0; SELECT pg_reload_conf()');
	IPC::Run::run(
		[
			'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database),
			'-v', 'file=' . ($file // $log), '-v', 'encoding=UTF8', '-v', "site=$name",
			'-f', 'demo/log.sql'
		],
		'>&', \my $out);
	return ($?, $out);
}

sub aevon
{
	my ($client, $granularity, $since, $until) = @_;
	my $principal = defined $client ? "'$client'" : 'NULL';
	my $range = defined $since ? "'$since', '$until'" : "'-infinity', 'infinity'";

	return $node->safe_psql('demo',
		"SELECT r.event_count, coalesce((b.stats ->> 'sum')::numeric, 0), coalesce((b.stats ->> 'max')::numeric, 0), e.event_count
		 FROM aevon_windows('$site', $principal, 'requests', $range, '$granularity') r,
			aevon_windows('$site', $principal, 'bytes', $range, '$granularity') b,
			aevon_windows('$site', $principal, 'errors', $range, '$granularity') e");
}

# The same by awk, over the lines that a condition chooses.
sub awk
{
	my ($condition) = @_;
	my $program = "$condition { n++; if (\$10 != \"-\") { s += \$10; if (\$10 + 0 > m) m = \$10 + 0 } if (\$9 >= 400) e++ }"
	  . ' END { printf "%d|%.0f|%d|%d", n, s, m, e }';

	IPC::Run::run([ 'gzip', '-cd', $log ], '|', [ 'awk', $program ], '>', \my $out);
	return $out;
}

sub distinct_clients
{
	IPC::Run::run([ 'gzip', '-cd', $log ], '|', [ 'awk', '!seen[$1]++ { n++ } END { printf "%d", n }' ], '>', \my $out);
	return $out;
}
