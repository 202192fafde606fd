# Corrections and verification of series with dimension values take the memory
# of what they keep, not of every combination for every minute or event.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' if !-r "/proc/$$/status";

my $limit_kb = 300 * 1024;		# shared buffers are part of it

my $node = aevon_node('combinations', quiet => 1, preload => 'aevon');
my $wire = session($node);
$wire->must('CREATE EXTENSION aevon');
$wire->must(q{SELECT aevon_define_rule('sold', 'sale', '{count,sum}', 'v', dimensions => '{"item": "item"}')});

# each event voided is in a minute and a combination of its own
fill("SELECT 'p' || i % 10 AS principal, 'v' || i AS event_id, 'sale'::text AS event_type,"
	  . " '2021-07-01 00:00+00'::timestamptz + i * interval '1 minute' AS occurred_at,"
	  . " jsonb_build_object('v', i, 'item', i) AS data FROM generate_series(1, 15000) i");
$wire->must('SELECT aevon_void(\'shop\', principal, event_id, \'wrong\') FROM many');
cmp_ok(peak_kb('SELECT aevon_sweep()'), '<', $limit_kb, 'memory of 15,000 corrections');
is($wire->value(q{SELECT event_count FROM aevon_windows('shop', NULL, 'sold')}), 0, 'all are taken out');

# many events, and few combinations
fill("SELECT 'p' || i % 10 AS principal, 'e' || i AS event_id, 'sale'::text AS event_type,"
	  . " '2022-07-01 00:00+00'::timestamptz + i * interval '0.2 second' AS occurred_at,"
	  . " jsonb_build_object('v', i, 'item', i % 5) AS data FROM generate_series(1, 200000) i");
cmp_ok(peak_kb(q{SELECT count(*) FROM aevon_verify('sold')}), '<', $limit_kb,
	'memory of verifying 200,000 events');
is($wire->value(q{SELECT count(*) FROM aevon_verify('sold')}), 0, 'and nothing is wrong');

done_testing();

# Ingest and sweep the rows of a query, which stay in the table "many".
sub fill
{
	my ($query) = @_;

	$wire->must('DROP TABLE IF EXISTS many');
	$wire->must("CREATE TABLE many AS $query");
	$wire->must("SELECT * FROM aevon_ingest_from('many', 'shop')");
	$wire->must('SELECT aevon_sweep()');
	return;
}

# The greatest size that a session's process reaches in a statement.
sub peak_kb
{
	my ($statement) = @_;
	my $own = session($node);
	my $pid = $own->value('SELECT pg_backend_pid()');

	$own->must($statement);
	my ($peak) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB$/m;
	note "$statement: $peak kB";
	return $peak;
}
