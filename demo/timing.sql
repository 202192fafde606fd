-- Time a question to Aevon and the same by plain SQL.  Variables:
-- timed_question, timed_recount, timing_section.
\echo '== ':timing_section'. Timings ==================================================================='
\echo
\echo 'The tenant by day, asked of Aevon and counted from the raw log (mean of 20). The'
\echo 'log grows with every event; what Aevon reads grows with the logarithm of the range.'
\echo
CREATE FUNCTION pg_temp.mean_ms(question text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz := clock_timestamp();
	times integer := 0;
BEGIN
	WHILE times < 20 AND clock_timestamp() < began + interval '2 seconds' LOOP
		EXECUTE question;
		times := times + 1;
	END LOOP;
	RETURN round(extract(epoch FROM clock_timestamp() - began) * 1000 / times, 3);
END
$$;
SELECT pg_temp.mean_ms(:'timed_question') AS "Aevon, ms", pg_temp.mean_ms(:'timed_recount') AS "plain SQL, ms";
SELECT sum(accepted) AS "events ingested",
	round(sum(accepted) / sum(ingest_ms) * 1000) AS "ingested a second",
	round(sum(swept) / sum(sweep_ms) * 1000) AS "swept a second"
FROM progress;

