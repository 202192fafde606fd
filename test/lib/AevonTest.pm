# AevonTest: throw-away clusters for Aevon's tests.
#
#   use AevonTest;
#   my $node = aevon_node('name');                      # preloaded, started
#   my $node = aevon_node('name', preload => '', conf => "fsync = on\n");
#   my $node = aevon_node('name', quiet => 1);          # no worker
#   aevon_create($node, 'dbname');                      # database + extension
#
# A node is a PostgreSQL::Test::Cluster; it is stopped and removed when the
# test ends, however it ends.
package AevonTest;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(aevon_node aevon_create aevon_conf);

# The configuration of a test cluster, as text for append_conf.
sub aevon_conf
{
	my ($node, %option) = @_;
	my $preload = $option{preload} // 'aevon,pg_cron';
	my $conf = <<~"EOC";
		shared_preload_libraries = '$preload'
		max_prepared_transactions = 10
		timezone = 'UTC'
		log_statement = none
		EOC

	if ($preload =~ /pg_cron/)
	{
		# pg_cron's own connections go by the socket, not by TCP
		$conf .= "cron.host = '" . $node->host . "'\n";
		$conf .= "cron.database_name = 'postgres'\n";
	}
	if ($option{quiet})
	{
		$conf .= "aevon.max_workers = 0\n";
	}
	return $conf . ($option{conf} // '');
}

# A started cluster.  Options: preload (libraries), quiet, conf (more
# settings, which win), init (more arguments of PostgreSQL::Test::Cluster's
# init, such as allows_streaming => 1), start => 0.
sub aevon_node
{
	my ($name, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ],
		%{ $option{init} // {} });
	$node->append_conf('postgresql.conf', aevon_conf($node, %option));
	start_or_show_log($node) if $option{start} // 1;
	return $node;
}

sub start_or_show_log
{
	my ($node) = @_;

	return if $node->start(fail_ok => 1);
	diag(slurp_file($node->logfile));
	die 'cluster "' . $node->name . "\" does not start\n";
}

# A database with the extension.
sub aevon_create
{
	my ($node, $database) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database")
	  if $database ne 'postgres';
	$node->safe_psql($database, 'CREATE EXTENSION aevon');
	return;
}

1;
