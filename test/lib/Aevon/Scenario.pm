# What the crash, standby and restore tests share: some events, and whether
# the states equal a recount.
package Aevon::Scenario;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use Test::More;
use Time::HiRes qw(time sleep);

use Aevon::Oracle;
use Aevon::Random;
use Aevon::Wire;
use Aevon::Workload;

our @EXPORT = qw(session session_when_up wait_until install_scenario ingest_some
  cases_of is_recounted answers event_total
  needs_adoption is_adopted run_tool);

# A session of one's own; undef if the server takes none.
sub session
{
	my ($node, $dbname) = @_;
	return Aevon::Wire->connect(host => $node->host, port => $node->port,
		dbname => $dbname // 'postgres');
}

# The same, for as long as the server may need to come up.
sub session_when_up
{
	my ($node, $dbname) = @_;
	my $wire;
	wait_until(sub { $wire = session($node, $dbname) }) or die 'the server does not come up';
	return $wire;
}

# Try until it is true; false after too long.
sub wait_until
{
	my ($try, $seconds) = @_;
	my $give_up = time + ($seconds // 120);
	while (time < $give_up)
	{
		my $result = $try->();
		return $result if $result;
		sleep 0.05;
	}
	return 0;
}

# The extension, the oracle, and rules of every kind.
sub install_scenario
{
	my ($wire) = @_;
	$wire->must('CREATE EXTENSION aevon');
	Aevon::Oracle->install($wire);
	my $number = 0;
	$wire->must("SELECT aevon_define_rule('events', '*', '{count}')");
	foreach my $shape (@Aevon::Oracle::SHAPES)
	{
		$number++;
		$wire->must("SELECT aevon_define_rule('shape $number', "
			  . Aevon::Oracle::literal($shape->[0]) . ", '{sum,count,min,max,avg,last}', "
			  . Aevon::Oracle::literal($shape->[1]) . ', ' . Aevon::Oracle::literal($shape->[2]) . ')');
	}
	return;
}

# Ingest n random events of two tenants, with ids PREFIX-0 ...  One statement
# a batch, so they are there after it or not at all.
sub ingest_some
{
	my ($wire, $prefix, $n) = @_;
	my $rnd = Aevon::Random->new(unpack("%32C*", $prefix));
	my $workload = Aevon::Workload->new(now => 1_700_000_000_000_000);
	my %texts;
	foreach my $i (0 .. $n - 1)
	{
		my $event = $workload->random_event($rnd);
		$event->{event_id} = "$prefix-$i";
		push @{ $texts{ $rnd->pick('acme', 'other') } }, Aevon::Workload::event_json($event);
	}
	$wire->must(join('; ', map { 'SELECT aevon_ingest_batch('
			  . Aevon::Oracle::literal($_) . ', ' . Aevon::Oracle::literal('[' . join(',', @{ $texts{$_} }) . ']')
			  . ')' } sort keys %texts));
	return;
}

sub event_total
{
	my ($wire) = @_;
	return $wire->value('SELECT count(*) FROM aevon.event_log');
}

# Every tenant, every principal of it, all rules; and some random ranges.
sub cases_of
{
	my ($wire, $random) = @_;
	my $workload = Aevon::Workload->new(now => 1_700_000_000_000_000);
	my $rnd = Aevon::Random->new(7);
	my @cases = map { [ @$_, undef, '-infinity', 'infinity', 'total' ] } @{ $wire->must(<<'SQL') };
SELECT t.tenant, p.principal
FROM aevon.tenants t
LEFT JOIN (SELECT tenant_key, principal FROM aevon.principals
	UNION ALL SELECT tenant_key, NULL FROM aevon.tenants) p USING (tenant_key)
ORDER BY 1, 2
SQL
	my %tenants = map { $_->[0] => 1 } @cases;
	my @tenants = sort keys %tenants;
	push @cases, map { $workload->random_case($rnd, $rnd->pick(@tenants), undef, undef, 'events', 'shape 1') }
	  1 .. $random;
	return \@cases;
}

# A test: the states equal a recount.
sub is_recounted
{
	my ($wire, $name, $random) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @found = Aevon::Oracle->compare($wire, cases_of($wire, $random // 40));
	return is(join("\n", @found), '', $name);
}

# All answers as one list of texts, to compare two servers by.
sub answers
{
	my ($wire) = @_;
	return join "\n", map { join ' ', map { $_ // 'NULL' } @$_ } @{ $wire->must(<<'SQL') };
SELECT t.tenant, p.principal, g.granularity, w.*
FROM aevon.tenants t
JOIN (SELECT tenant_key, principal FROM aevon.principals
	UNION ALL SELECT tenant_key, NULL FROM aevon.tenants) p USING (tenant_key)
CROSS JOIN unnest('{total,1h,1d}'::text[]) g (granularity)
CROSS JOIN LATERAL aevon_windows(t.tenant, p.principal, NULL, granularity => g.granularity) w
ORDER BY 1, 2, 3, w.rule, w.window_start
SQL
}

# Tests: before aevon_adopt() reads and writes say what to do.
sub needs_adoption
{
	my ($wire, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $call ("aevon_state('acme')", "aevon_windows('acme', 'p1')", "aevon_events('acme', 'p1')",
		"aevon_ingest('acme', 'p1', 'too early', 'order')",
		q{aevon_ingest_batch('acme', '[{"principal": "p1", "event_id": "too early", "event_type": "order"}]')},
		"aevon_define_rule('too early', 'order', '{count}')", 'aevon_sweep()')
	{
		my $error = $wire->query("SELECT $call")->{error};
		is($error && $error->{C}, '55000', "$name: $call is refused");
		like($error && $error->{H} // '', qr/aevon_adopt\(\)/, 'with a hint to adopt');
	}
	return;
}

# Tests: once adopted, the answers are those of before; new events count,
# duplicates are known, sweeps go on.  The log must hold the events of
# ingest_some with the prefix given.
sub is_adopted
{
	my ($wire, $name, $before, $prefix) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(answers($wire), $before, "$name: the same answers");
	is_recounted($wire, "$name: as a recount");
	my $total = event_total($wire);
	ingest_some($wire, $prefix, 100);
	is(event_total($wire), $total, "$name: duplicates are known");
	ingest_some($wire, "new after $name", 100);
	is(event_total($wire), $total + 100, "$name: new events are taken");
	is_recounted($wire, "$name: and count");
	my $swept = $wire->query('SELECT aevon_sweep()');
	ok(!$swept->{error}, "$name: sweeps go on") or diag($swept->{error}{M});
	is_recounted($wire, "$name: and change no answer");
	return;
}

# Run a program of PostgreSQL; (status, what it printed).  The output of
# commands joined by '|' is piped.
sub run_tool
{
	my @command = @_;
	my $output = '';
	my @pipeline = ([]);
	foreach my $word (@command)
	{
		if ($word eq '|') { push @pipeline, []; }
		else { push @{ $pipeline[-1] }, $word; }
	}
	my @spec = map { ($_ ? ('|', $pipeline[$_]) : ($pipeline[0]), '2>', \$output) } 0 .. $#pipeline;
	my $ok = IPC::Run::run(@spec, '>', \$output);
	return ($ok ? 0 : 1, $output);
}

1;
