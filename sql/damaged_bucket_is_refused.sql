-- aevon.unpack_bucket takes any bytes from anyone: what is not a packed row is
-- refused, before PostgreSQL's numeric functions see numbers it never wrote.
CREATE FUNCTION pg_temp.unpack(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT string_agg(u.sum::text || ' ' || (u.min * u.max)::text, ',') FROM aevon.unpack_bucket(bytes, 1) u);
EXCEPTION WHEN data_corrupted THEN
	RETURN SQLERRM;
END
$$;
-- a row of one window whose sum, min and max are the numeric with these bytes
CREATE FUNCTION pg_temp.unpack_number(bytes bytea) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.unpack('\x01010000'::bytea || '\x010200020002000200000000'::bytea || '\x00'::bytea
		|| '\x0102'::bytea || n || n || n || '\x00000000'::bytea)
	FROM (SELECT '\xff'::bytea || set_byte('\x00', 0, length(bytes)) || bytes AS n) x
$$;
SET statement_timeout = '10s';
SELECT pg_temp.unpack_number('\x00800100');
SELECT what, pg_temp.unpack_number(bytes) FROM (VALUES
	(1, 'nothing', ''::bytea), (2, 'half a header', '\x00'), (3, 'no digits', '\x0080'), (4, 'half of a long header', '\x0000'),
	(5, 'half a digit', '\x0080010000'), (6, 'NaN', '\x00c00100'), (7, 'infinity', '\x00d00100'),
	(8, 'digit of 10000', '\x00801027'), (9, 'negative digit', '\x0080ffff'), (10, 'leading zero', '\x008000000100'),
	(11, 'trailing zero', '\x008001000000'), (12, 'great weight', '\x0000ff7f0100'), (13, 'least weight', '\x000000800100'),
	(14, 'great scale', '\xff3f00000100'), (15, 'scale too small', '\x008001000100'))
	AS v (n, what, bytes) ORDER BY n;
SELECT what, pg_temp.unpack(bytes) FROM (VALUES
	(1, 'nothing', ''::bytea), (2, 'no such format', '\x02'), (3, 'no windows', '\x0100'), (4, 'no end', '\x0180'),
	(5, 'many windows', '\x01ffffff07' || decode(repeat('00', 100000), 'hex')), (6, 'cut short', '\x010100000102'),
	(7, 'long text', '\x0101000003020002000200020000ffffffff0f'), (8, 'endless number', '\x01ffffffffffffffffffffffffff'))
	AS v (n, what, bytes) ORDER BY n;
