-- Sweep, and note what the sweep says and what the watched question answers.
UPDATE progress SET tail = (aevon_state(:'tenant') ->> 'tail_events')::bigint
WHERE part = :part;
SELECT event_count AS swept, bucket_count AS rows, duration_ms AS sweep_ms FROM aevon_sweep() \gset
UPDATE progress
SET swept = :swept, rows = :rows, sweep_ms = :sweep_ms,
	watched = (SELECT event_count
			   FROM aevon_windows(:'tenant', rule => :'watched_rule', since => :'watched_day',
								  until => :'watched_day'::timestamptz + interval '1 day'))
WHERE part = :part;
