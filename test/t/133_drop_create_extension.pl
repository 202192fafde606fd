# DROP EXTENSION and CREATE EXTENSION again, in one session and seen from
# another: no rule, key or plan of before survives in a session's caches.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use Test::More;

my $node = aevon_node('again', preload => 'aevon', conf => "aevon.sweep_interval = '200ms'\n");
my $wire = session($node);
my $other = session($node);

sub counted
{
	my ($session, $principal) = @_;
	$principal = defined $principal ? "'$principal'" : 'NULL';
	my $result = $session->query("SELECT w.event_count, w.value FROM aevon_windows('acme', $principal, 'amount') w");
	return $result->{error} ? $result->{error}{C} : "@{ $result->{rows}[0] }";
}

# Ingest one event; its answer, or the SQLSTATE.
sub ingested
{
	my ($session, $principal, $id, $amount) = @_;
	my $result = $session->query("SELECT aevon_ingest('acme', '$principal', '$id', 'order',"
		  . " '2024-05-01 12:00', '{\"amount\": $amount, \"other\": 1000}')");
	return $result->{error} ? $result->{error}{C} : $result->{rows}[0][0];
}

my @principals = ('p1', 'p2', 'p3', 'p4');
foreach my $round (1 .. 4)
{
	# names get their keys in another order each time, and the rule changes
	push @principals, shift @principals;
	my $path = $round % 2 ? 'amount' : 'other';
	$wire->must('CREATE EXTENSION aevon');
	is(counted($wire, undef), '42501', "round $round: nothing is there");
	is(counted($other, undef), '42501', "round $round: for the other session neither");
	$wire->must("SELECT aevon_define_rule('extra $_', 'order', '{count}', NULL, '\$.amount > $_')")
	  foreach 1 .. $round;
	$wire->must("SELECT aevon_define_rule('amount', 'order', '{sum}', '$path')");
	my $amount = 0;
	foreach my $principal (@principals)
	{
		$amount++;
		my $session = $amount % 2 ? $wire : $other;
		is(ingested($session, $principal, 'one', $amount), 'accepted', "round $round: ${principal}'s event is new");
		is(ingested($session, $principal, 'one', $amount), 'duplicate', 'then known');
		is(ingested($session, $principal, 'one', 99), '23505', 'and protected');
	}
	$other->must('SELECT aevon_sweep()') if $round % 3;
	foreach my $i (0 .. 3)
	{
		my $value = $path eq 'amount' ? $i + 1 : 1000;
		is(counted($wire, $principals[$i]), "1 $value", "round $round: $principals[$i] is counted by the new rule");
		is(counted($other, $principals[$i]), "1 $value", 'in the other session too');
	}
	is(counted($other, undef), $path eq 'amount' ? '4 10' : '4 4000', "round $round: the whole tenant");
	is($other->value("SELECT array_agg(event_id) FROM aevon_events('acme', 'p1')"), '{one}', 'and the raw log');

	# dropped and made again in a transaction that is rolled back
	$wire->must('BEGIN; DROP EXTENSION aevon CASCADE; CREATE EXTENSION aevon');
	is(counted($wire, undef), '42501', "round $round: in a transaction, nothing is there");
	$wire->must("ROLLBACK; BEGIN; DROP EXTENSION aevon CASCADE; CREATE EXTENSION aevon;"
		  . " SELECT aevon_define_rule('amount', 'order', '{count}')");
	is(ingested($wire, $principals[3], 'one', 5), 'accepted', 'a new log');
	is(counted($wire, $principals[3]), '1 1', 'with rules of its own');
	$wire->must('ROLLBACK');
	is(counted($wire, $principals[3]), $path eq 'amount' ? '1 4' : '1 1000', "round $round: rolled back, all is as before");
	is(ingested($wire, $principals[3], 'one', 4), 'duplicate', 'and known');
	is(ingested($wire, $principals[0], "two", 7), 'accepted', 'and goes on');

	$wire->must('DROP EXTENSION aevon CASCADE');
	is(counted($_, undef), '42883', "round $round: dropped, the functions are gone") foreach $wire, $other;
	is($wire->value("SELECT count(*) FROM pg_namespace WHERE nspname = 'aevon'"), 0, 'and the schema too');
}

# all in one transaction, kept
$wire->must("CREATE EXTENSION aevon; SELECT aevon_define_rule('amount', 'order', '{sum}', 'amount')");
is(ingested($other, 'p2', 'one', 1), 'accepted', 'once more');
$wire->must("BEGIN; DROP EXTENSION aevon; CREATE EXTENSION aevon; SELECT aevon_define_rule('amount', 'order', '{max}', 'other')");
is(ingested($wire, 'p3', 'one', 1), 'accepted', 'a first event in the transaction that made the extension');
$wire->must('SELECT aevon_sweep(); COMMIT');
is(counted($other, 'p3'), '1 1000', 'the other session sees it by the new rule');
is(counted($other, 'p2'), '0 ', 'and nothing of before');
is(ingested($other, 'p2', 'one', 1), 'accepted', 'which can come again');
is(counted($wire, undef), '2 1000', 'and counts');

$_->disconnect foreach $wire, $other;
$node->stop;
done_testing();
