-- Ingest part :part of the feed at the time its last event arrived; each event
-- keeps its own.
SELECT max(arrived_at) AS clock FROM feed WHERE part = :part \gset
SET aevon.clock = :'clock';
\ir ingest_part.sql
