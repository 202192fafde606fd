-- Ingest part :part of the feed, from a staging table, as one transaction.
-- An event is "late" here if it is older than one that an earlier part held.
CREATE TEMP TABLE staging AS
SELECT principal, event_id, event_type, occurred_at, data, coalesce(arrived_at, aevon.clock()) AS ingested_at
FROM feed
WHERE part = :part
ORDER BY arrival;

SELECT clock_timestamp() AS started \gset
SELECT accepted, duplicate FROM aevon_ingest_from('staging', tenant => :'tenant') \gset
INSERT INTO progress (part, events, accepted, duplicate, late, ingest_ms)
SELECT :part, count(*), :accepted, :duplicate,
	count(*) FILTER (WHERE occurred_at < (SELECT max(f.occurred_at) FROM feed f WHERE f.part < :part)),
	extract(epoch FROM clock_timestamp() - :'started') * 1000
FROM staging;
DROP TABLE staging;
