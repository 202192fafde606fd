# Every test/pgtap/*.sql: its TAP output becomes ours, test by test.
use strict;
use warnings;

use AevonTest;
use File::Basename qw(basename);
use PostgreSQL::Test::Utils;
use TAP::Parser;
use Test::More;

my @files = sort glob 'test/pgtap/*.sql';
plan skip_all => 'no test/pgtap/*.sql' if !@files;

my $node = aevon_node('pgtap', quiet => 1);
aevon_create($node, 'pgtap');
$node->safe_psql('pgtap', 'CREATE EXTENSION pgtap');

foreach my $file (@files)
{
	run_file($file, basename($file, '.sql'));
}
$node->stop;
done_testing();

sub run_file
{
	my ($file, $name) = @_;
	my ($stdout, $stderr) = ('', '');

	IPC::Run::run(
		[
			'psql', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1',
			'-d', $node->connstr('pgtap'), '-f', $file
		],
		'>', \$stdout, '2>', \$stderr);
	is($?, 0, "$name: psql ends well") or diag($stderr);

	my $parser = TAP::Parser->new({ tap => $stdout });
	while (my $result = $parser->next)
	{
		if ($result->is_test)
		{
			my $text = $result->description =~ s/^- //r;
			ok($result->is_ok, "$name: $text");
		}
		elsif ($result->is_comment)
		{
			diag($result->as_string);
		}
	}
	ok($parser->tests_run > 0 && $parser->is_good_plan, "$name: the plan is met");
	return;
}
