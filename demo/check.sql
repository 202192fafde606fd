-- Fail, with psql's exit status, unless what was shown is true.  Expects the
-- tables progress, before, after, replay and compared, and the variables
-- events, conflict_state.
SELECT set_config('demo.events', :'events', false) AS events,
	set_config('demo.conflict_state', :'conflict_state', false) AS conflict_state \gset
DO $check$
DECLARE
	events bigint := current_setting('demo.events');
BEGIN
	IF (SELECT sum(accepted) FROM progress) IS DISTINCT FROM events
		OR (SELECT sum(swept) FROM progress) IS DISTINCT FROM events
	THEN
		RAISE EXCEPTION 'demo failed: not every event was ingested and swept';
	END IF;
	IF NOT EXISTS (SELECT FROM before)
		OR EXISTS ((TABLE before EXCEPT ALL TABLE after) UNION ALL (TABLE after EXCEPT ALL TABLE before))
	THEN
		RAISE EXCEPTION 'demo failed: a sweep changed an answer';
	END IF;
	IF (SELECT (accepted, duplicate, rejected) FROM replay) IS DISTINCT FROM (0::bigint, events, 0::bigint) THEN
		RAISE EXCEPTION 'demo failed: the replay was not all duplicates';
	END IF;
	IF current_setting('demo.conflict_state') <> '23505' THEN
		RAISE EXCEPTION 'demo failed: an id with other content was not refused';
	END IF;
	IF NOT EXISTS (SELECT FROM compared) OR EXISTS (SELECT FROM compared WHERE same IS NOT TRUE) THEN
		RAISE EXCEPTION 'demo failed: the recount in plain SQL differs';
	END IF;
END
$check$;
\echo 'Checked: every answer equals the recount, in every window.'
\echo
