-- Synthetic streams of events, the same for every run (a fixed seed).
--
-- 10,000 principals, skewed: rank k has the share of (u to the third), so the
-- heaviest has 4.6 % of all events and rank 100 has 0.07 %.
CREATE SCHEMA bench;

-- A staging table `bench.staging` of events first .. last, `rate` a second
-- from `origin` on; the share `late` of them up to `late_by` before their time.
CREATE PROCEDURE bench.stage(first bigint, last bigint, rate numeric, origin timestamptz,
	late double precision DEFAULT 0, late_by interval DEFAULT '1 hour')
LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS bench.staging;
	PERFORM setseed(0.25 + 0.5 / first);
	EXECUTE format(
		'CREATE UNLOGGED TABLE bench.staging AS
		 SELECT ''u'' || floor(10000 * random() ^ 3)::integer AS principal,
			''e'' || i AS event_id, ''api.call''::text AS event_type,
			%L::timestamptz + i / %s * interval ''1 second''
				- CASE WHEN random() < %s THEN random() * %L::interval ELSE interval ''0'' END AS occurred_at,
			jsonb_build_object(''amount'', round((random() * 1000)::numeric, 2),
				''path'', ''/v1/item/'' || i %% 1000, ''status'', 200) AS data
		 FROM generate_series(%s::bigint, %s) i', origin, rate, late, late_by, first, last);
END
$$;

-- Ingest such a stream, `chunk` events to a transaction.
CREATE PROCEDURE bench.ingest(tenant text, first bigint, last bigint, rate numeric, origin timestamptz,
	late double precision DEFAULT 0, late_by interval DEFAULT '1 hour', chunk bigint DEFAULT 500000)
LANGUAGE plpgsql AS $$
DECLARE
	at bigint := first;
BEGIN
	WHILE at <= last LOOP
		CALL bench.stage(at, least(at + chunk - 1, last), rate, origin, late, late_by);
		PERFORM aevon_ingest_from('bench.staging', tenant => tenant);
		COMMIT;
		at := at + chunk;
	END LOOP;
	DROP TABLE IF EXISTS bench.staging;
END
$$;

-- Four rules on one value.
CREATE PROCEDURE bench.define_rules(tenant text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM aevon_define_rule('calls', 'api.call', '{count}', value => 'amount', tenant => tenant);
	PERFORM aevon_define_rule('amount', 'api.call', '{sum}', value => 'amount', tenant => tenant);
	PERFORM aevon_define_rule('least', 'api.call', '{min}', value => 'amount', tenant => tenant);
	PERFORM aevon_define_rule('most', 'api.call', '{max}', value => 'amount', tenant => tenant);
END
$$;

-- Ingest such a stream in many small transactions, of `chunk` events each.
CREATE PROCEDURE bench.ingest_by(tenant text, first bigint, last bigint, rate numeric, chunk bigint)
LANGUAGE plpgsql AS $$
BEGIN
	CALL bench.stage(first, last, rate, '2026-01-01');
	CREATE INDEX ON bench.staging ((substr(event_id, 2)::bigint));
	ANALYZE bench.staging;
	FOR at IN first .. last BY chunk LOOP
		PERFORM aevon_ingest_batch(tenant, (SELECT jsonb_agg(to_jsonb(s)) FROM bench.staging s
			WHERE substr(event_id, 2)::bigint >= at AND substr(event_id, 2)::bigint < at + chunk));
		COMMIT;
	END LOOP;
END
$$;
