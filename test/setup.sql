-- setup.sql
--		The oracle, and a session that prints the same everywhere.  Each
--		regression test includes this first.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
CREATE EXTENSION IF NOT EXISTS aevon;
\set oracle :srcdir '/test/oracle.sql'
\i :oracle
RESET client_min_messages;
\pset null '(null)'
