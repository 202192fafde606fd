# CREATE EXTENSION refuses a role aevon_owner that could be used by somebody,
# and takes one that could not.
use strict;
use warnings;

use AevonTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = aevon_node('owner_role', quiet => 1);

sub refused
{
	my ($what, $expected) = @_;
	my ($status, $stdout, $stderr) =
	  $node->psql('postgres', '\set VERBOSITY verbose' . "\nCREATE EXTENSION aevon");

	isnt($status, 0, "$what: refused");
	like($stderr, qr/ERROR:  55000: role "aevon_owner" exists and $expected/, "$what: why");
	like($stderr, qr/HINT:  \S/, "$what: what to do");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_namespace WHERE nspname = 'aevon'"),
		'0', "$what: nothing is left behind");
	return;
}

foreach my $power ('LOGIN', 'SUPERUSER', 'CREATEROLE', 'CREATEDB', 'REPLICATION', 'BYPASSRLS')
{
	$node->safe_psql('postgres', "CREATE ROLE aevon_owner $power");
	refused($power, 'has attributes that');
	$node->safe_psql('postgres', 'DROP ROLE aevon_owner');
}

$node->safe_psql('postgres',
	'CREATE ROLE aevon_owner; CREATE ROLE friend; GRANT aevon_owner TO friend');
refused('a member', 'has members');

$node->safe_psql('postgres', 'REVOKE aevon_owner FROM friend');
$node->safe_psql('postgres', 'CREATE EXTENSION aevon');
is($node->safe_psql('postgres', "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'aevon'"),
	'aevon_owner', 'a harmless role is taken');

# the role is of the cluster: a second database uses the same
aevon_create($node, 'second');
is($node->safe_psql('second', "SELECT aevon_ingest('t', 'p', 'e', 'use')"),
	'accepted', 'and by a second database too');
$node->safe_psql('postgres', 'DROP EXTENSION aevon');
is($node->safe_psql('second', "SELECT aevon_ingest('t', 'p', 'e', 'use')"),
	'duplicate', 'which does not mind the end of the first');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_roles WHERE rolname = 'aevon_owner'"),
	'1', 'the role stays when an extension goes');

# nobody but a superuser may install
my ($status, undef, $stderr) = $node->psql('postgres',
	'CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE postgres TO plain; SET ROLE plain; CREATE EXTENSION aevon');
isnt($status, 0, 'others may not install it');
like($stderr, qr/permission denied to create extension/, 'and are told so');

$node->stop;
done_testing();
