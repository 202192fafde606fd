# A streaming standby answers as the primary does: the same once it has caught
# up, and consistently at any moment before.  It refuses to ingest and to sweep.
# Promoted, it works on.  Replayed pages of tables and indexes are compared with
# the primary's.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use Aevon::Oracle;
use Test::More;

my $primary = aevon_node('primary', preload => 'aevon', init => { allows_streaming => 1 },
	conf => <<'CONF');
aevon.sweep_interval = '100ms'
max_standby_streaming_delay = -1
wal_consistency_checking = 'heap, heap2, btree, sequence'
CONF
my $wire = session($primary);
install_scenario($wire);
ingest_some($wire, 'before the backup', 300);
$wire->must('SELECT aevon_sweep()');
ingest_some($wire, 'tail of the backup', 50);
$primary->backup('copy');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;
my $reader = session_when_up($standby);

sub catch_up
{
	$primary->wait_for_catchup('standby', 'replay', $primary->lsn('insert'));
	return;
}

# While the primary ingests and sweeps: each answer is of one snapshot.
my @broken;
foreach my $round (1 .. 12)
{
	$wire->send("SELECT aevon_ingest_batch('acme', (SELECT jsonb_agg(jsonb_build_object("
		  . "'principal', 'p' || i % 11, 'event_id', 'live $round-' || i, 'event_type', 'order',"
		  . "'occurred_at', '2024-05-01'::timestamptz + i * interval '1.7 seconds',"
		  . "'data', jsonb_build_object('amount', i))) FROM generate_series(1, 400) i));"
		  . 'SELECT aevon_sweep(' . ($round % 3 ? 150 : 'NULL') . ')');
	while ($wire->{busy})
	{
		$reader->must('BEGIN ISOLATION LEVEL REPEATABLE READ');
		my $row = $reader->must(<<'SQL')->[0];
SELECT (SELECT sum(event_count) FROM aevon_windows('acme', NULL, 'events')),
	(SELECT sum(w.event_count) FROM aevon.principals p JOIN aevon.tenants t USING (tenant_key)
		CROSS JOIN LATERAL aevon_windows(t.tenant, p.principal, 'events') w WHERE t.tenant = 'acme'),
	(SELECT count(*) FROM oracle.log WHERE tenant = 'acme')
SQL
		push @broken, "@$row" if $row->[0] != $row->[1] || $row->[0] != $row->[2];
		$reader->must('COMMIT');
		$wire->pump if IO::Select->new($wire->handle)->can_read(0);
	}
	die $wire->{result}{error}{M} if $wire->{result}{error};
	push @broken, Aevon::Oracle->compare($reader, cases_of($reader, 5)) if $round % 4 == 0;
}
is(join("\n", @broken), '', 'while it replays, the whole tenant = the sum over principals = the log');

catch_up();
is(answers($reader), answers($wire), 'caught up, the standby answers as the primary does');
is_recounted($reader, 'and as a recount on the standby');

# a sweep alone changes no answer there either
ingest_some($wire, 'tail', 120);
catch_up();
my $before = answers($reader);
$wire->must('SELECT aevon_sweep()');
catch_up();
is(answers($reader), $before, 'a replayed sweep changes no answer');

# freshness is that of what was replayed
my $fresh = $reader->must(<<'SQL')->[0];
SELECT s->>'data_through' IS NOT NULL, (s->>'staleness_seconds')::numeric >= 0,
	(s->>'data_through')::timestamptz = pg_last_xact_replay_timestamp()
FROM aevon_state('acme') s
SQL
is("@$fresh", 't t t', 'data_through is the time of replay');

# what writes is refused
foreach my $call ("aevon_ingest('acme', 'p1', 'refused', 'order')", 'aevon_sweep()',
	"aevon_ingest_batch('acme', '[]')", "aevon_define_rule('refused', 'order', '{count}')", 'aevon_adopt()')
{
	my $error = $reader->query("SELECT $call")->{error};
	is($error->{C}, '25006', "$call on a standby: 25006");
	like($error->{M}, qr/^cannot execute .* (in a read-only transaction|during recovery)$/, 'with a clear text');
}

# prepared on the primary, not committed: not in any answer, before and after
$wire->must("BEGIN; SELECT aevon_ingest('acme', 'p1', 'prepared', 'order', '2024-05-01', '{\"amount\": 5}');"
	  . " PREPARE TRANSACTION 'across'");
ingest_some($wire, 'last of the primary', 40);
$wire->must('SELECT aevon_sweep()');
ingest_some($wire, 'tail of the primary', 40);
catch_up();
$before = answers($wire);
$wire->disconnect;
$primary->stop('immediate');

$standby->promote;
$reader->must('SELECT 1');
is(answers($reader), $before, 'promoted, it answers as the primary did, in a session of before');
my $other = session_when_up($standby);
is(answers($other), $before, 'and in a new one');
$other->must("COMMIT PREPARED 'across'");
ingest_some($other, 'after the promotion', 200);
is($other->value("SELECT aevon_ingest('acme', 'p1', 'prepared', 'order', '2024-05-01', '{\"amount\": 5}')"),
	'duplicate', 'duplicates are still known');
is_recounted($other, 'new events and the prepared one count');
ok(wait_until(sub { $other->value('SELECT sum(tail_events) = 0 FROM aevon.status') eq 't' }, 60),
	'the worker of the promoted server sweeps');
is_recounted($other, 'and changes no answer');
is_recounted($reader, 'for the session of before neither');

$reader->disconnect;
$other->disconnect;
$standby->stop;
done_testing();
