# Links of the chain and buckets come out of one pass over the log where both
# have come equally far, and out of two where they have not: after transactions
# that stayed open, with a new rule that catches up, a rebuilt one, bounded sweeps,
# the chain switched off and on.  Whatever the order, links are what plain SQL
# says and figures what a recount says.

use strict;
use warnings;

use AevonTest;
use Aevon::Random;
use Aevon::Scenario;
use Test::More;

my $STEPS = 400;

my $node = aevon_node('links_beside', quiet => 1, preload => 'aevon', conf => "fsync = off\n");
my $wire = session($node);
my @writers = map { session($node) } 1 .. 3;
my @open = (0) x @writers;
my $rnd = Aevon::Random->new(138);
my ($sent, $rules) = (0, 0);
my %swept = (together => 0, apart => 0);

$wire->must('CREATE EXTENSION aevon');
add_rule();
write_runs($_) foreach 1, 2, 5, 8;
foreach my $step (1 .. $STEPS)
{
	my $what = $rnd->between(0, 99);
	if    ($what < 45) { write_some($rnd->between(0, $#writers)) }
	elsif ($what < 55) { void_one() }
	elsif ($what < 58) { add_rule() if $rules < 8 }
	elsif ($what < 60) { $wire->must("SELECT aevon_rebuild('rule " . $rnd->between(1, $rules) . "', 't')") }
	elsif ($what < 65) { $wire->must('SET aevon.chain = ' . $rnd->pick('on', 'off')) }
	else               { sweep($rnd->between(0, 2) ? '' : $rnd->between(1, 60)) }
}
settle($_) foreach 0 .. $#writers;
$wire->must('SET aevon.chain = on');
sweep('');

is( $wire->value(
		'SELECT count(DISTINCT (cut_xmax, cut_xip)) FROM aevon.sweep_checkpoints'),
	1, 'in the end links and measures have come equally far');
cmp_ok($swept{$_}, '>', 10, "sweeps that began $_") foreach qw(together apart);
is($wire->value('SELECT sum(event_count) = (SELECT count(*) FROM aevon.event_log)'
		  . ' AND sum(void_count) = (SELECT count(*) FROM aevon.voids) FROM aevon.chain'),
	't', 'links took in each event and each void once');
is($wire->value(wrong_links()), 0, 'each link is the SHA-256 of what it took in');
is($wire->value(wrong_figures()), 0, 'figures of all rules equal a recount');
is($wire->value('SELECT count(*) FROM aevon_verify()'), 0, 'all of it is proved');
done_testing();

# So many batches in one transaction: runs of events, each in order.
sub write_runs
{
	my ($runs) = @_;
	$wire->must("CREATE TABLE run_$runs AS SELECT i, 'p' || i % 11 AS principal,"
		  . " 'run$runs-' || lpad(i::text, 4, '0') AS event_id, 'x'::text AS event_type,"
		  . " '2024-05-01'::timestamptz + i * interval '20 seconds' AS occurred_at, jsonb_build_object('v', i) AS data"
		  . ' FROM generate_series(1, 2000) i');
	$wire->must('BEGIN');
	foreach my $run (1 .. $runs)
	{
		$wire->must("CREATE VIEW run_${runs}_$run AS SELECT principal, event_id, event_type, occurred_at, data"
			  . " FROM run_$runs WHERE i % $runs = $run - 1");
		$wire->must("SELECT * FROM aevon_ingest_from('run_${runs}_$run', 't')");
	}
	$wire->must('COMMIT');
	sweep('');
	return;
}

# In a transaction of its own, or in one that stays open for a while.
sub write_some
{
	my ($number) = @_;
	my $writer = $writers[$number];
	if ($open[$number] && $rnd->between(0, 2) == 0)
	{
		settle($number);
		return;
	}
	if (!$open[$number] && $rnd->between(0, 1))
	{
		$writer->must('BEGIN');
		$open[$number] = 1;
	}
	my $count = $rnd->pick(1, 1, 3, 40);
	$writer->must("SELECT aevon_ingest('t', 'p' || i % 5, 'e' || $sent + i, 'x',"
		  . " '2024-05-01'::timestamptz + ($sent + i) % 500 * interval '20 seconds', jsonb_build_object('v', i))"
		  . " FROM generate_series(1, $count) i");
	$sent += $count;
	return;
}

sub settle
{
	my ($number) = @_;
	$writers[$number]->must($rnd->between(0, 5) ? 'COMMIT' : 'ROLLBACK') if $open[$number];
	$open[$number] = 0;
	return;
}

sub void_one
{
	$wire->must("SELECT aevon_void('t', p.principal, e.event_id, 'wrong')"
		  . ' FROM aevon.event_log e JOIN aevon.principals p USING (principal_key)'
		  . ' WHERE NOT EXISTS (SELECT FROM aevon.voids v WHERE v.event_id = e.event_id)'
		  . ' ORDER BY hashtext(e.event_id || ' . $rnd->between(0, 1_000_000) . ') LIMIT 1');
	return;
}

sub add_rule
{
	$rules++;
	$wire->must("SELECT aevon_define_rule('rule $rules', 'x', '{sum,count,min,max}', 'v',"
		  . " '\$.v % 8 >= " . ($rules - 1) . "', tenant => 't')");
	return;
}

sub sweep
{
	my ($bound) = @_;
	my $cuts = $wire->value('SELECT count(DISTINCT (cut_xmax, cut_xip)) FROM aevon.sweep_checkpoints');
	$swept{ $cuts == 1 ? 'together' : 'apart' }++;
	# now and then in a transaction that ingests, whose events it must leave out
	$wire->must('BEGIN; '
		  . "SELECT aevon_ingest('t', 'p1', 'own' || count(*), 'x', '2024-05-02', '{\"v\": 7}') FROM aevon.event_log")
	  if !$bound && $rnd->below(4) == 0;
	$wire->must("SELECT aevon_sweep($bound); COMMIT");
	return;
}

# Links that differ from what docs/design.md says they are.
sub wrong_links
{
	return <<'SQL';
WITH links AS (
	SELECT c.*, coalesce(b.link, decode(repeat('00', 32), 'hex')) AS previous,
		coalesce(b.cut_xmax, 0) AS before_xmax, coalesce(b.cut_xip, '{}') AS before_xip
	FROM aevon.chain c LEFT JOIN aevon.chain b ON b.link_number = c.link_number - 1
)
SELECT count(*) FROM links l
CROSS JOIN LATERAL (
	SELECT string_agg(set_byte('\x00', 0, kind) || int8send(number) || hash, ''
		ORDER BY number, kind, minor, id COLLATE "C") AS items
	FROM (
		SELECT 0 AS kind, e.stamp AS number, e.principal_key AS minor, e.event_id AS id, e.content_hash AS hash
		FROM aevon.event_log e
		WHERE e.stamp < l.cut_xmax AND e.stamp <> ALL (l.cut_xip)
			AND (e.stamp >= l.before_xmax OR e.stamp = ANY (l.before_xip))
		UNION ALL
		SELECT 1, v.stamp, v.principal_key, v.event_id, aevon.row_hash(v) FROM aevon.voids v
		WHERE v.stamp < l.cut_xmax AND v.stamp <> ALL (l.cut_xip)
			AND (v.stamp >= l.before_xmax OR v.stamp = ANY (l.before_xip))) x) i
WHERE l.link <> sha256(l.previous || coalesce(i.items, '') || int8send(l.event_count)
	|| int8send(l.void_count) || int8send(0) || int8send(0) || timestamptz_send(l.made_at)
	|| int8send(l.cut_xmax) || int8send(cardinality(l.cut_xip))
	|| coalesce((SELECT string_agg(int8send(x), '' ORDER BY n) FROM unnest(l.cut_xip) WITH ORDINALITY u (x, n)), ''))
SQL
}

# Minutes of principals that differ from the log's.
sub wrong_figures
{
	return <<"SQL";
WITH recount AS (
	SELECT 'rule ' || n AS rule, p.principal, date_trunc('minute', e.occurred_at) AS minute, count(*) AS event_count,
		sum(v), min(v), max(v)
	FROM aevon.event_log e JOIN aevon.principals p USING (principal_key), LATERAL ((SELECT (e.data->>'v')::numeric AS v)) x,
		generate_series(1, $rules) n
	WHERE v % 8 >= n - 1 AND NOT EXISTS (SELECT FROM aevon.voids d WHERE (d.principal_key, d.event_id) = (e.principal_key, e.event_id))
	GROUP BY 1, 2, 3
), kept AS (
	SELECT rule, principal, window_start AS minute, event_count, sum, min, max
	FROM aevon.pre_aggregates WHERE principal IS NOT NULL
)
SELECT (SELECT count(*) FROM (TABLE recount EXCEPT TABLE kept) a) + (SELECT count(*) FROM (TABLE kept EXCEPT TABLE recount) b)
SQL
}
