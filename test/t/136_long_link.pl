# A transaction of more than is sorted in memory makes the link that plain SQL
# says, is proved by the same way, and does not need more memory.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = aevon_node('links', quiet => 1, preload => 'aevon');
my $wire = session($node);
$wire->must('CREATE EXTENSION aevon');
$wire->must("SELECT aevon_ingest('links', 'p', 'first', 'link', '2021-07-01')");
$wire->must('SELECT aevon_sweep()');

# ids of 1002 bytes, all with the same beginning, in no order, in one
# transaction: 68 MB with what is kept beside them
my $count = 64500;
$wire->must(
	"CREATE TABLE many AS SELECT 'p' || i % 7 AS principal,"
	  . " repeat(E'\\U0001D11E', 249) || lpad((i::bigint * 999983 % 70001)::text, 6) AS event_id,"
	  . " 'link'::text AS event_type, '2021-07-03 10:00+00'::timestamptz AS occurred_at"
	  . " FROM generate_series(1, $count) i");
$wire->must("SELECT * FROM aevon_ingest_from('many', 'links')");
my $pid = $wire->value('SELECT pg_backend_pid()');
$wire->must('SELECT aevon_sweep()');
is($wire->value('SELECT event_count FROM aevon.chain WHERE link_number = 2'), $count, 'one link has all of it');
is( $wire->value(
		"SELECT c.link = sha256(b.link || (SELECT string_agg('\\x00'::bytea || int8send(stamp) || content_hash, ''"
		  . " ORDER BY stamp, principal_key, event_id) FROM aevon.event_log WHERE stamp >= b.cut_xmax)"
		  . " || int8send(c.event_count) || int8send(0) || int8send(0) || int8send(0) || timestamptz_send(c.made_at)"
		  . " || int8send(c.cut_xmax) || int8send(0))"
		  . " FROM aevon.chain c JOIN aevon.chain b ON b.link_number = c.link_number - 1 WHERE c.link_number = 2"),
	't', 'it is the SHA-256 of the events in their order');
is($wire->value('SELECT count(*) FROM aevon_verify()'), 0, 'all of it is proved');
cmp_ok($wire->value("SELECT sum(total_bytes) FROM pg_backend_memory_contexts"), '<', 32 * 1024 * 1024,
	'and its memory was given back');

# one hash among all these
$wire->must('ALTER TABLE aevon.event_log_p1 DISABLE TRIGGER ALL; ALTER TABLE aevon.event_log DISABLE TRIGGER ALL');
$wire->must("UPDATE aevon.event_log l SET content_hash = o.content_hash FROM aevon.event_log o"
	  . " WHERE l.event_id = (SELECT max(event_id) FROM aevon.event_log) AND o.event_id = 'first'");
is( $wire->value("SELECT string_agg(what, ' ' ORDER BY what) FROM aevon_verify() WHERE what IN ('event', 'chain')"),
	'chain event', 'a hash changed among them is found');

done_testing();
