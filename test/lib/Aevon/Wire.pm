# A PostgreSQL session that does not block: the simple query protocol
# (version 3) over a Unix-domain socket, trust authentication.
#
# One process can so keep many statements running at once, know the SQLSTATE
# of each error, and tell a commit that was acknowledged from one whose outcome
# is unknown because the connection broke.
package Aevon::Wire;

use strict;
use warnings;

use IO::Socket::UNIX;
use IO::Select;

# Connect; undef if the server does not take connections now.
sub connect
{
	my ($class, %option) = @_;
	my $socket = IO::Socket::UNIX->new(
		Type => SOCK_STREAM,
		Peer => "$option{host}/.s.PGSQL.$option{port}");
	return undef unless $socket;

	my $self = bless {
		socket => $socket,
		buffer => '',
		dead => 0,
		busy => 1,
		pid => undef,
		notices => [],
		result => _empty_result(),
	}, $class;
	my $parameters = '';
	my %startup = (
		user => $option{user} // $ENV{PGUSER} // scalar(getpwuid($>)),
		database => $option{dbname} // 'postgres',
		application_name => $option{name} // 'torture');
	$parameters .= "$_\0$startup{$_}\0" foreach sort keys %startup;
	$parameters .= "\0";
	$self->_write(pack('N N', length($parameters) + 8, 196608) . $parameters);
	my $result = $self->wait;
	if ($self->{dead} || $result->{error})
	{
		close $socket;
		return undef;
	}
	return $self;
}

sub _empty_result
{
	return { sets => [], rows => [], tags => [], error => undef };
}

sub _write
{
	my ($self, $bytes) = @_;
	my $at = 0;
	local $SIG{PIPE} = 'IGNORE';
	while ($at < length $bytes)
	{
		my $n = syswrite($self->{socket}, $bytes, length($bytes) - $at, $at);
		if (!defined $n)
		{
			next if $!{EINTR};
			$self->{dead} = 1;
			return;
		}
		$at += $n;
	}
	return;
}

# Start a statement (or several, which then share a transaction).  The session
# must be idle.  Completion is seen by pump or wait.
sub send
{
	my ($self, $sql) = @_;
	die "session is busy" if $self->{busy};
	$self->{busy} = 1;
	$self->{result} = _empty_result();
	$self->_write('Q' . pack('N', length($sql) + 5) . $sql . "\0");
	return;
}

sub handle { return $_[0]->{socket}; }

# Read what is there (blocking if nothing is).  True once the statement is over
# or the session dead.
sub pump
{
	my ($self) = @_;
	return 1 if $self->{dead};
	my $n = sysread($self->{socket}, $self->{buffer}, 65536, length $self->{buffer});
	if (!defined $n)
	{
		return 0 if $!{EINTR};
		$n = 0;
	}
	if ($n == 0)
	{
		$self->{dead} = 1;
		$self->{busy} = 0;
	}
	$self->_parse;
	return $self->{dead} || !$self->{busy};
}

# Wait for the end of the statement; its result.
sub wait
{
	my ($self) = @_;
	while ($self->{busy} && !$self->{dead})
	{
		$self->pump;
	}
	return $self->{result};
}

# Send and wait.
sub query
{
	my ($self, $sql) = @_;
	$self->send($sql);
	return $self->wait;
}

# The same, but an error dies.  Rows of the last statement.
sub must
{
	my ($self, $sql) = @_;
	my $result = $self->query($sql);
	die "connection lost in: $sql" if $self->{dead};
	die "$result->{error}{C} $result->{error}{M} in: $sql" if $result->{error};
	return $result->{rows};
}

# The first column of the first row.
sub value
{
	my ($self, $sql) = @_;
	my $rows = $self->must($sql);
	return $rows->[0] ? $rows->[0][0] : undef;
}

sub disconnect
{
	my ($self) = @_;
	$self->_write('X' . pack('N', 4)) unless $self->{dead};
	close $self->{socket};
	$self->{dead} = 1;
	return;
}

# Messages we use: Z ready, T row description, D row, C end of a statement,
# E error, K process id; others are of no interest.
sub _parse
{
	my ($self) = @_;
	my $at = 0;
	my $result = $self->{result};
	while (length($self->{buffer}) >= $at + 5)
	{
		my ($type, $length) = unpack("x$at a N", $self->{buffer});
		last if length($self->{buffer}) < $at + 1 + $length;
		my $body = substr($self->{buffer}, $at + 5, $length - 4);
		$at += 1 + $length;
		if ($type eq 'D')
		{
			push @{ $result->{rows} }, _row($body);
		}
		elsif ($type eq 'T')
		{
			$result->{rows} = [];
		}
		elsif ($type eq 'C')
		{
			push @{ $result->{tags} }, substr($body, 0, -1);
			push @{ $result->{sets} }, $result->{rows};
		}
		elsif ($type eq 'E')
		{
			my %field;
			foreach my $part (split /\0/, $body)
			{
				$field{ substr($part, 0, 1) } = substr($part, 1) if length $part;
			}
			$result->{error} //= \%field;
		}
		elsif ($type eq 'Z')
		{
			$self->{status} = $body;    # I: idle, T: in transaction, E: failed
			$self->{busy} = 0;
		}
		elsif ($type eq 'K')
		{
			$self->{pid} = unpack('N', $body);
		}
		elsif ($type eq 'R')
		{
			my $kind = unpack('N', $body);
			die "trust authentication is needed" if $kind != 0;
		}
	}
	substr($self->{buffer}, 0, $at) = '';
	return;
}

sub _row
{
	my ($body) = @_;
	my $count = unpack('n', $body);
	my $at = 2;
	my @row;
	for (1 .. $count)
	{
		my $length = unpack("x$at l>", $body);
		$at += 4;
		if ($length < 0)
		{
			push @row, undef;
			next;
		}
		push @row, substr($body, $at, $length);
		$at += $length;
	}
	return \@row;
}

1;
