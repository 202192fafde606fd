# RegressRunner: pg_regress and pg_isolation_regress as TAP tests, one per file.
package RegressRunner;

use strict;
use warnings;

use AevonTest;
use Cwd qw(getcwd);
use Exporter 'import';
use File::Basename qw(basename);
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(run_regress_files);

# Run the tests named by the files of a wildcard, by a pg_regress program.
sub run_regress_files
{
	my (%arg) = @_;
	my @names = map { basename($_, $arg{suffix}) } sort glob $arg{files};
	my ($stdout, $stderr, %result) = ('', '');

	if ($ENV{ONLY})
	{
		my %wanted = map { $_ => 1 } split ' ', $ENV{ONLY};

		@names = grep { $wanted{$_} } @names;
	}
	plan skip_all => "no $arg{files}" if !@names;

	# few events of a series: even so its minutes shall close
	my $node = aevon_node($arg{name}, quiet => 1, conf => "aevon.open_minutes = 3\n");
	my $output = "$PostgreSQL::Test::Utils::log_path/$arg{name}";
	mkdir $output;

	# isolation specs cannot include a file: they load the oracle from here
	local $ENV{PGOPTIONS} = '-c aevon_test.oracle=' . getcwd() . '/test/oracle.sql';
	IPC::Run::run(
		[
			$arg{program}, "--bindir=$ENV{PGBIN}",
			'--host=' . $node->host, '--port=' . $node->port,
			"--inputdir=$arg{input}", "--outputdir=$output",
			"--dbname=$arg{name}", '--load-extension=aevon',
			'--max-concurrent-tests=1', @names
		],
		'>', \$stdout, '2>', \$stderr);
	my $status = $?;
	while ($stdout =~ /^test (\S+)\s+\.\.\. (\w+)/mg)
	{
		$result{$1} = $2;
	}
	foreach my $name (@names)
	{
		is($result{$name} // 'not run', 'ok', "$arg{name}: $name");
	}
	is($status, 0, "$arg{name}: all pass");
	report_failure($stdout, $stderr, $output) if $status != 0;
	$node->stop;
	done_testing();
	return;
}

sub report_failure
{
	my ($stdout, $stderr, $output) = @_;

	diag($stdout, $stderr);
	diag(slurp_file("$output/regression.diffs"))
	  if -s "$output/regression.diffs";
	return;
}

1;
