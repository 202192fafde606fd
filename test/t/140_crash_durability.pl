# What was acknowledged with synchronous_commit on is there after an immediate
# stop, exactly once, however often that happens; what was rolled back is not.

use strict;
use warnings;

use AevonTest;
use Aevon::Scenario;
use Test::More;
use Time::HiRes qw(time);

my $ROUNDS = 5;
my $CLIENTS = 4;

my $node = aevon_node('durable', preload => 'aevon', conf => <<'CONF');
fsync = on
synchronous_commit = on
aevon.sweep_interval = '100ms'
CONF
my $wire = session($node);
install_scenario($wire);
$wire->must("CREATE TABLE answered (event_id text PRIMARY KEY, stored boolean)");

# Each client ingests one event after another, or rolls it back; acknowledged
# ids are kept here, outside of the server.
my (%stored, %rolled_back, %unknown);
my $next = 0;

sub start
{
	my ($client) = @_;
	$client->{id} = 'event ' . $next++;
	$client->{commit} = $next % 5 != 0;
	my $call = "SELECT aevon_ingest('acme', 'p" . ($next % 9) . "', '$client->{id}', 'order',"
	  . " '2024-03-01'::timestamptz + $next * interval '7 seconds', '{\"amount\": $next}')";
	$client->{wire}->send($client->{commit} ? $call : "BEGIN; $call; ROLLBACK");
	return;
}

foreach my $round (1 .. $ROUNDS)
{
	my @clients = map { { wire => session_when_up($node) } } 1 .. $CLIENTS;
	start($_) foreach @clients;
	my $stop_at = time + 1;
	while (time < $stop_at)
	{
		my $select = IO::Select->new(map { $_->{wire}->handle } @clients);
		my %ready = map { $_->fileno => 1 } $select->can_read(0.05);
		foreach my $client (grep { $ready{ $_->{wire}->handle->fileno } } @clients)
		{
			next unless $client->{wire}->pump;
			my $error = $client->{wire}{result}{error};
			die "$error->{C} $error->{M}" if $error;
			if ($client->{commit}) { $stored{ $client->{id} } = 1; }
			else { $rolled_back{ $client->{id} } = 1; }
			start($client);
		}
	}
	$node->stop('immediate');
	foreach my $client (@clients)
	{
		$client->{wire}->wait;
		if (!$client->{commit}) { $rolled_back{ $client->{id} } = 1; }
		elsif ($client->{wire}{busy} || $client->{wire}{dead} && !@{ $client->{wire}{result}{tags} })
		{
			$unknown{ $client->{id} } = 1;
		}
		else { $stored{ $client->{id} } = 1; }
	}
	$node->start;

	$wire = session_when_up($node);
	my %found;
	$found{ $_->[0] }++ foreach @{ $wire->must('SELECT event_id FROM aevon.event_log') };
	is(scalar(grep { !$found{$_} } keys %stored), 0,
		"round $round: all " . scalar(keys %stored) . ' acknowledged events are there');
	is(scalar(grep { $found{$_} } keys %rolled_back), 0, "round $round: none rolled back is");
	is(scalar(grep { $_ > 1 } values %found), 0, "round $round: none is there twice");
	is(scalar(grep { !$stored{$_} && !$unknown{$_} } keys %found), 0, "round $round: nothing else is");
	is_recounted($wire, "round $round: states equal a recount", 10);
	$wire->disconnect;
}
cmp_ok(scalar keys %stored, '>', 100, 'there was something to lose');

$node->stop;
done_testing();
