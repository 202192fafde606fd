-- An index that somebody makes on the log must not be taken for one of ours,
-- though ours may be the younger one: REINDEX CONCURRENTLY makes a new one.
CREATE INDEX others_time ON aevon.event_log_p1 (principal_key, occurred_at DESC);
CREATE INDEX others_key ON aevon.event_log_p1 (aevon.event_key(tenant_key, event_id));
REINDEX INDEX CONCURRENTLY aevon.event_log_p1_principal_key_occurred_at_idx;
REINDEX INDEX CONCURRENTLY aevon.event_log_p1_event_key_idx;
SELECT aevon_ingest('by_others', principal, 'e1', 'use', '2024-01-01', '{}') FROM unnest(ARRAY['p', 'q', 'p']) AS principal;
SELECT * FROM aevon_ingest_batch('by_others', '[{"principal": "q", "event_id": "e1", "event_type": "use", "data": {}},
	{"principal": "q", "event_id": "e2", "event_type": "use", "occurred_at": "2024-01-05", "data": {}}]');
SELECT count(*) FROM aevon_verify(tenant => 'by_others');
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT event_id FROM aevon.event_log_p1
WHERE aevon.event_key(tenant_key, event_id) = (SELECT aevon.event_key(tenant_key, 'e2') FROM aevon.tenants WHERE tenant = 'by_others');
ROLLBACK;
DROP INDEX aevon.others_time, aevon.others_key;
