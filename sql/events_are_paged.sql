-- The raw log of a principal, by time and id, page by page: each event once.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/test/setup.sql'
\i :setup
\set ECHO all
SELECT aevon_test.fill('paged', 3, 200, days => 0.01);
-- many at the very same moment: a page may end among them
SELECT count(*) FROM (SELECT aevon_ingest('paged', 'p1', 'same' || i, 'use', '2024-03-01 00:05+00', '{"n": 1}', '{"m": 1}')
	FROM generate_series(1, 25) i) x;
SELECT principal, event_id, event_type, occurred_at, data, metadata
FROM aevon_events('paged', 'p1', '2024-03-01 00:05+00', '2024-03-01 00:05:00.000001+00', 3);

CREATE FUNCTION pg_temp.read_all(tenant text, principal text, page integer) RETURNS SETOF aevon.events
	LANGUAGE plpgsql
	AS $$
DECLARE
	event aevon.events;
	last text;
	found_any boolean;
BEGIN
	LOOP
		found_any := false;
		FOR event IN SELECT * FROM aevon_events(tenant, principal, max_rows => page, after => last)
		LOOP
			found_any := true;
			last := event.event_id;
			RETURN NEXT event;
		END LOOP;
		EXIT WHEN NOT found_any;
	END LOOP;
END
$$;
CREATE FUNCTION pg_temp.check_pages(of_tenant text, of_principal text, page integer,
		OUT events bigint, OUT in_order boolean, OUT complete boolean)
	LANGUAGE sql
	AS $$
	WITH pages AS (SELECT row_number() OVER () AS n, p.* FROM pg_temp.read_all(of_tenant, of_principal, page) p),
		log AS (SELECT row_number() OVER (ORDER BY occurred_at, event_id COLLATE "C") AS n, e.*
				FROM aevon.events e WHERE tenant = of_tenant AND principal = of_principal)
	SELECT (SELECT count(*) FROM pages),
		NOT EXISTS (SELECT FROM pages JOIN log USING (n) WHERE pages.event_id <> log.event_id),
		NOT EXISTS (SELECT * FROM pages EXCEPT SELECT * FROM log) AND NOT EXISTS (SELECT * FROM log EXCEPT SELECT * FROM pages)
$$;
SELECT page, (pg_temp.check_pages('paged', 'p1', page)).* FROM unnest('{1,2,7,24,25,1000}'::integer[]) page;
SELECT aevon_test.sweep();
SELECT page, (pg_temp.check_pages('paged', 'p1', page)).* FROM unnest('{7,1000}'::integer[]) page;

-- ranges are half-open; nobody has no events
SELECT count(*) FROM aevon_events('paged', 'p1', '2024-03-01 00:05+00', '2024-03-01 00:05+00');
SELECT count(*) FROM aevon_events('paged', 'p1', '2024-03-01 00:04:59.999999+00', '2024-03-01 00:05+00');
SELECT count(*) FROM aevon_events('paged', 'nobody');
SELECT count(*) = (SELECT count(*) FROM aevon.events WHERE tenant = 'paged' AND principal = 'p1') AS all_of_them
FROM aevon_events('paged', 'p1', '-infinity', 'infinity', 100000);
SELECT aevon_test.try($$SELECT * FROM aevon_events('paged', 'p1', max_rows => 100001)$$);
