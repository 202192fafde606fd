-- aevon_grant and aevon_revoke: who may do what for which tenant.
SET client_min_messages = warning;
CREATE ROLE regress_group;
CREATE ROLE regress_member IN ROLE regress_group;
CREATE ROLE regress_operator;
CREATE ROLE regress_nobody;
SELECT aevon_ingest('bound', 'p', 'e1', 'use', '2024-01-01 00:00+00');
SELECT aevon_ingest('bound too', 'p', 'e1', 'use', '2024-01-01 00:00+00');

-- nothing without a grant; a tenant that does not exist looks the same
SET ROLE regress_member;
SELECT aevon_ingest('bound', 'p', 'e2', 'use');
SELECT aevon_ingest('bound nowhere', 'p', 'e2', 'use');
SELECT * FROM aevon_events('bound', 'p');
SELECT * FROM aevon_events('bound nowhere', 'p');
SELECT count(*) FROM aevon.events;
SELECT aevon_grant('bound', 'regress_member', 'read');
SELECT * FROM aevon.event_log;
RESET ROLE;

-- a group's grant is its members'; each privilege is one thing
SELECT aevon_grant('bound', 'regress_group', 'ingest');
SET ROLE regress_member;
SELECT aevon_ingest('bound', 'p', 'e2', 'use', '2024-01-02 00:00+00');
SELECT * FROM aevon_events('bound', 'p');
SELECT aevon_ingest('bound too', 'p', 'e2', 'use');
RESET ROLE;
SELECT aevon_grant('bound', 'regress_group', 'read'), aevon_grant('bound', 'regress_group', 'read');
SET ROLE regress_member;
SELECT event_id FROM aevon_events('bound', 'p');
SELECT tenant, event_id FROM aevon.events ORDER BY event_id;
SELECT * FROM aevon_events('bound too', 'p');
RESET ROLE;
SET ROLE regress_nobody;
SELECT aevon_ingest('bound', 'p', 'e2', 'use', '2024-01-02 00:00+00');
SELECT count(*) FROM aevon.events;
RESET ROLE;

-- a grant for a tenant that nobody has used yet: empty, no error
SELECT aevon_grant('bound later', 'regress_group', 'read');
SET ROLE regress_member;
SELECT * FROM aevon_events('bound later', 'p');
RESET ROLE;
SELECT * FROM aevon_events('bound nowhere', 'p');

-- an operator of a tenant grants on it, not on others
SELECT aevon_grant('bound', 'regress_operator', 'operate');
SET ROLE regress_operator;
SELECT aevon_grant('bound', 'regress_nobody', 'read');
SELECT aevon_grant('bound too', 'regress_nobody', 'read');
SELECT aevon_grant('*', 'regress_nobody', 'read');
SELECT aevon_revoke('bound', 'regress_nobody', 'read');
SELECT aevon_adopt();
RESET ROLE;

-- all tenants
SELECT aevon_grant('*', 'regress_nobody', 'read');
SET ROLE regress_nobody;
SELECT DISTINCT tenant FROM aevon.events WHERE tenant IN ('bound', 'bound too') ORDER BY tenant;
SELECT * FROM aevon_events('bound nowhere', 'p');
SELECT aevon_ingest('bound', 'p', 'e3', 'use');
RESET ROLE;

-- taken back, and rolled back
SELECT aevon_revoke('*', 'regress_nobody', 'read'), aevon_revoke('*', 'regress_nobody', 'void');
SELECT aevon_revoke('bound', 'regress_group', 'ingest');
BEGIN;
SELECT aevon_revoke('bound', 'regress_group', 'read');
SET LOCAL ROLE regress_member;
SELECT count(*) FROM aevon.events;
ROLLBACK;
SET ROLE regress_member;
SELECT count(*) FROM aevon.events;
SELECT aevon_ingest('bound', 'p', 'e3', 'use');
RESET ROLE;

-- a role that is gone can still be taken off
CREATE ROLE regress_gone;
SELECT aevon_grant('bound', 'regress_gone', 'read');
SELECT oid AS gone FROM pg_roles WHERE rolname = 'regress_gone' \gset
DROP ROLE regress_gone;
SELECT aevon_revoke('bound', :gone::regrole, 'read');
SELECT count(*) FROM aevon.grants WHERE tenant = 'bound' AND role = :gone;

-- bad arguments
SELECT aevon_grant('bound', 'regress_group', 'own');
SELECT aevon_grant('', 'regress_group', 'read');
SELECT aevon_grant(repeat('x', 256), 'regress_group', 'read');
SELECT aevon_grant('bound', 1::regrole, 'read');
SELECT aevon_grant('bound', '-'::regrole, 'read');
SELECT aevon_grant(NULL, 'regress_group', 'read');
SELECT aevon_grant('bound', NULL, 'read');
SELECT aevon_revoke('bound', 'regress_group', NULL);
BEGIN READ ONLY;
SELECT aevon_grant('bound', 'regress_group', 'read');
ROLLBACK;

SELECT aevon_revoke('bound', 'regress_group', 'read'), aevon_revoke('bound later', 'regress_group', 'read'),
	aevon_revoke('bound', 'regress_operator', 'operate');
DROP ROLE regress_member, regress_group, regress_operator, regress_nobody;
