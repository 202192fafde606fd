# slow
# The model checker: random concurrent clients, sweepers and crashes, compared
# with a recount of the raw log.  A short run here; `make torture` runs it for
# SECONDS (1800) with SEED.  docs/torture.md explains it.

use strict;
use warnings;

use AevonTest;
use Aevon::Checker;
use Test::More;

my $long = ($ENV{AEVON_TORTURE} // '') eq 'long';
my $seconds = $ENV{AEVON_TORTURE_SECONDS} || ($long ? 1800 : 40);
my $seed = $ENV{AEVON_TORTURE_SEED} || ($long ? time : 20240229);

my $node = aevon_node('model', preload => 'aevon', conf => Aevon::Checker->settings);
my $checker = Aevon::Checker->new(
	node => $node, seed => $seed, seconds => $seconds,
	least_comparisons => 2000, least_crashes => 5,
	note => sub { note(sprintf('%5.1f s ', time - $^T), @_) });
note("seed $seed, $seconds s");
$checker->run;

my @failures = @{ $checker->{failures} };
is(scalar @failures, 0, "no difference (seed $seed)");
diag("difference: $_") foreach splice @failures, 0, 10;
my %errors = %{ $checker->{errors} };
note("errors that were in order: $_: $errors{$_}") foreach sort keys %errors;
note("$checker->{statements} statements, $checker->{live_comparisons} comparisons under load");
SKIP:
{
	skip 'stopped at a failure', 3 if @{ $checker->{failures} };
	cmp_ok($checker->{comparisons}, '>=', 2000, 'at least 2,000 comparisons');
	cmp_ok($checker->{crashes}, '>=', 5, 'at least 5 crashes');
	cmp_ok($checker->{full}, '>', 0, 'tenants with more combinations of dimension values than they may have');
}
$node->stop;

done_testing();
