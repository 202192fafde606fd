# The proof outlives dump and restore, and holds on a standby: the chain goes
# on, a head kept from before is still there, and tampering with what was
# restored is found.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use PostgreSQL::Test::Utils;
use Test::More;

my $findings = 'SELECT count(*) FROM aevon_verify()';
my $head = "SELECT link_number || ', ''' || link || '''' FROM aevon_chain_head()";

my $source = aevon_node('source', quiet => 1, preload => 'aevon', init => { allows_streaming => 1 });
my $wire = session($source);
install_scenario($wire);
ingest_some($wire, 'swept', 300);
$wire->must('SELECT aevon_snapshot()');

# transactions that are open, or prepared, while others enter the log's cut
$wire->must("BEGIN; SELECT aevon_ingest('acme', 'p1', 'prepared', 'order', '2024-05-01', '{\"amount\": 5}');"
	  . " PREPARE TRANSACTION 'across'");
my $open = session($source);
$open->must("BEGIN; SELECT aevon_ingest('acme', 'p2', 'open', 'order', '2024-05-01', '{\"amount\": 6}');"
	  . " SELECT aevon_void('acme', 'p2', 'open', 'a test')");
ingest_some($wire, 'swept across', 100);
$wire->must('SELECT aevon_sweep()');
my $early = $wire->value($head);
is($wire->value($findings), 0, 'all is right, with transactions open');
$open->must('COMMIT');
$wire->must("COMMIT PREPARED 'across'");
$wire->must('SELECT aevon_sweep()');
is($wire->value('SELECT event_count || \' \' || void_count FROM aevon.chain ORDER BY link_number DESC LIMIT 1'),
	'2 1', 'what was open entered by a link of its own');
ingest_some($wire, 'tail', 50);
is($wire->value($findings), 0, 'all is right once they have ended');
my $late = $wire->value($head);

# a standby proves without writing
$source->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($source, 'base', has_streaming => 1);
$standby->start;
$source->wait_for_catchup($standby);
my $there = session($standby);
is($there->value($findings), 0, 'a standby finds the same');
is($there->value("SELECT aevon_chain_check($late)"), 't', 'a standby has the head');
is($there->query('SELECT * FROM aevon_verify(repair => true)')->{error}{C}, '25006', 'a standby repairs nothing');
$there->disconnect;
$standby->stop;

# restored elsewhere
my $target = aevon_node('target', quiet => 1, preload => 'aevon');
my ($status, $output) = run_tool('pg_dump', $source->connstr('postgres'), '|', 'psql', '-X', '-q',
	'-v', 'ON_ERROR_STOP=1', $target->connstr('postgres'));
is($status, 0, 'dumped and restored') or diag($output);
$there = session($target);
$there->must('SELECT aevon_adopt()');
is($there->value($findings), 0, 'all is right after the restore');
is($there->value("SELECT aevon_chain_check($early)"), 't', 'an early head is there');
is($there->value("SELECT aevon_chain_check($late)"), 't', 'the last head is there');
ingest_some($there, 'after', 50);
$there->must('SELECT aevon_sweep()');
is($there->value($findings), 0, 'all is right when the chain went on');
is($there->value("SELECT aevon_chain_check($late)"), 't', 'and the head from before is in it');
isnt($there->value($head), $late, 'which is not the head any more');

# an event slipped in under an old stamp
$there->must('ALTER TABLE aevon.event_log DISABLE TRIGGER ALL; ALTER TABLE aevon.event_log_p1 DISABLE TRIGGER ALL');
$there->must("INSERT INTO aevon.event_log SELECT stamp, occurred_at, ingested_at, part, tenant_key, principal_key,"
	  . " type_key, 'slipped in', content_hash, data, metadata FROM aevon.event_log ORDER BY stamp, event_id LIMIT 1");
is($there->value("SELECT string_agg(DISTINCT what, ' ' ORDER BY what) FROM aevon_verify()"
	  . " WHERE what IN ('chain', 'event')"), 'chain event', 'an event slipped in under an old stamp is found');
is($there->value("SELECT stored -> 'link_number' FROM aevon_verify() WHERE what = 'chain'"), 1,
	'and the link that it breaks is named');

done_testing();
