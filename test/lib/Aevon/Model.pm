# What must be in the event log, from what the clients saw.
#
# An attempt is one try to ingest one event.  It is in flight until its
# transaction's outcome is known: acknowledged (then the event must be in the
# log exactly once, with that content), dropped (rolled back), or unknown (the
# connection broke in COMMIT; settled by a look at the log afterwards).
#
# A void is an attempt too, with {void} set: to void that event.
package Aevon::Model;

use strict;
use warnings;

use Aevon::Oracle;

sub new
{
	my ($class) = @_;
	return bless {
		events => {},       # key => event
		acknowledged => {}, # tenant => { principal => events certainly there }
		possible => {},     # the same: not certain, but perhaps there
		seen => {},         # highest count a reader was given, per subject
		dirty => {},        # keys to be written to model.event
		attempts => 0,
		voids => {},        # key => void
		voids_tried => {},  # tenant => { principal => voids ever tried }
	}, $class;
}

sub install
{
	my ($self, $wire) = @_;
	$wire->must(<<'SQL');
CREATE SCHEMA model;
CREATE TABLE model.event (tenant text COLLATE "C", principal text COLLATE "C",
	event_id text COLLATE "C", event_type text, occurred_at timestamptz, data jsonb,
	stored boolean, PRIMARY KEY (tenant, principal, event_id));
SQL
	return;
}

sub key { return join "\0", @{ $_[0] }{qw(tenant principal event_id)}; }

sub event
{
	my ($self, $attempt) = @_;
	return $self->{voids}{ key($attempt) } //= { in_flight => 0, unknown => 0, stored => 0 }
	  if $attempt->{void};
	return $self->{events}{ key($attempt) } //= {
		in_flight => 0, unknown => 0, stored => 0, contents => {} };
}

# Is this event (or void) certainly in the log?
sub is_stored { my ($self, $attempt) = @_; return $self->event($attempt)->{stored}; }

# Has somebody else tried the same event while it was in flight, or is an
# outcome unknown?  (Then a wait, a deadlock or a conflict is in order.)
sub is_contended
{
	my ($self, $attempt) = @_;
	my $event = $self->event($attempt);
	return $event->{shared} || $event->{unknown} || keys %{ $event->{contents} // {} } > 1;
}

sub _count_possible
{
	my ($self, $attempt, $event) = @_;
	my $possible = !$event->{stored} && ($event->{in_flight} || $event->{unknown}) ? 1 : 0;
	$self->{possible}{ $attempt->{tenant} }{ $attempt->{principal} } +=
	  $possible - ($event->{counted_possible} // 0);
	$event->{counted_possible} = $possible;
	return;
}

sub begin
{
	my ($self, $attempt) = @_;
	my $event = $self->event($attempt);
	$event->{shared} = 1 if $event->{in_flight}++;
	if ($attempt->{void})
	{
		$event->{tried}++;
		$self->{voids_tried}{ $attempt->{tenant} }{ $attempt->{principal} }++;
		return;
	}
	$event->{contents}{ content($attempt) } = 1;
	$self->{attempts}++;
	$self->_count_possible($attempt, $event);
	return;
}

sub content
{
	my ($attempt) = @_;
	return "$attempt->{event_type}\0" . ($attempt->{occurred_at} // 'now') . "\0$attempt->{data}";
}

# The attempt's transaction committed, and the call had said that the event was
# accepted or a duplicate.
sub acknowledge
{
	my ($self, $attempt) = @_;
	my $event = $self->event($attempt);
	$event->{in_flight}--;
	if ($attempt->{void})
	{
		$event->{stored} = 1;
		return;
	}
	if (!$event->{stored})
	{
		$event->{stored} = 1;
		$event->{content} = $attempt;
		$self->{acknowledged}{ $attempt->{tenant} }{ $attempt->{principal} }++;
		$self->{dirty}{ key($attempt) } = $attempt;
	}
	$self->_count_possible($attempt, $event);
	return;
}

sub drop
{
	my ($self, $attempt) = @_;
	my $event = $self->event($attempt);
	$event->{in_flight}--;
	return if $attempt->{void};
	$self->{dirty}{ key($attempt) } //= $attempt;
	$self->_count_possible($attempt, $event);
	return;
}

sub lose
{
	my ($self, $attempt) = @_;
	my $event = $self->event($attempt);
	$event->{in_flight}--;
	$event->{unknown} = 1;
	return if $attempt->{void};
	$self->{unsettled}{ key($attempt) } = $attempt;
	$self->_count_possible($attempt, $event);
	return;
}

# Events of a principal, or of a tenant (principal undef), that a statement
# sent now must count at least, and that one answered now may count at most.
sub at_least
{
	my ($self, $tenant, $principal) = @_;
	my $sum = _sum($self->{acknowledged}{$tenant}, $principal);
	my $seen = $self->{seen}{$tenant}{ $principal // '' } // 0;
	return $sum > $seen ? $sum : $seen;
}

sub at_most
{
	my ($self, $tenant, $principal) = @_;
	return _sum($self->{acknowledged}{$tenant}, $principal)
	  + _sum($self->{possible}{$tenant}, $principal);
}

sub saw
{
	my ($self, $tenant, $principal, $count) = @_;
	my $seen = \$self->{seen}{$tenant}{ $principal // '' };
	$$seen = $count if !defined $$seen || $$seen < $count;
	return;
}

# Voids that may have lowered the count by now; each can do so once at most.
sub voids_tried
{
	my ($self, $tenant, $principal) = @_;
	return _sum($self->{voids_tried}{$tenant}, $principal);
}

sub _sum
{
	my ($counts, $principal) = @_;
	return $counts->{$principal} // 0 if defined $principal;
	my $sum = 0;
	$sum += $_ foreach values %{ $counts // {} };
	return $sum;
}

# Compare the log with the model: settle what was unknown, then every
# acknowledged event is there exactly once with its content, and nothing else
# is.  Nothing may be in flight but prepared transactions.  A list of
# differences.
sub check_log
{
	my ($self, $wire) = @_;
	$self->_settle($wire);
	$self->_write($wire);
	my @found;
	my %check = (
		'more than once in the log' => <<'SQL',
SELECT tenant, principal, event_id, count(*) FROM oracle.log GROUP BY 1, 2, 3 HAVING count(*) > 1
SQL
		'acknowledged, but not in the log' => <<'SQL',
SELECT m.tenant, m.principal, m.event_id FROM model.event m
WHERE m.stored AND NOT EXISTS (SELECT FROM oracle.log l WHERE (l.tenant, l.principal, l.event_id)
	= (m.tenant, m.principal, m.event_id))
SQL
		'in the log, but never committed' => <<'SQL',
SELECT l.tenant, l.principal, l.event_id, m.stored FROM oracle.log l
LEFT JOIN model.event m USING (tenant, principal, event_id)
WHERE m.stored IS NOT TRUE
SQL
		'stored with another content' => <<'SQL',
SELECT l.tenant, l.principal, l.event_id, l.data, m.data, l.occurred_at, m.occurred_at FROM oracle.log l
JOIN model.event m USING (tenant, principal, event_id)
WHERE (m.data IS NOT NULL AND (l.data <> m.data OR l.event_type <> m.event_type))
	OR l.occurred_at <> m.occurred_at
SQL
		'stored twice, or not found by its key' => <<'SQL');
SELECT l.principal_key, l.event_id, count(k.stamp)
FROM aevon.event_log l LEFT JOIN aevon.event_log k
	ON aevon.event_key(k.principal_key, k.event_id) = aevon.event_key(l.principal_key, l.event_id)
	AND (k.principal_key, k.event_id) = (l.principal_key, l.event_id)
GROUP BY 1, 2 HAVING count(k.stamp) <> 1
SQL
	$wire->must('SET enable_nestloop = off');
	foreach my $what (sort keys %check)
	{
		my $rows = $wire->must("$check{$what} LIMIT 5");
		push @found, "$what: " . join(', ', map { $_ // 'NULL' } @$_) foreach @$rows;
	}
	$wire->must('RESET enable_nestloop');
	return (@found, $self->_check_voids($wire));
}

# Every acknowledged void is there, and none that was never committed; those
# that were unknown are settled.
sub _check_voids
{
	my ($self, $wire) = @_;
	my $voids = $self->{voids};
	my %there = map { join("\0", @$_) => 1 } @{ $wire->must('TABLE oracle.voids') };
	my @found;

	foreach my $key (sort keys %there)
	{
		my $void = $voids->{$key};
		push @found, 'void, but never committed: ' . $key =~ tr/\0/ /r
		  unless $void && ($void->{stored} || $void->{unknown});
	}
	foreach my $key (sort keys %$voids)
	{
		my $void = $voids->{$key};
		push @found, 'acknowledged, but not void: ' . $key =~ tr/\0/ /r
		  if $void->{stored} && !$there{$key};
		$void->{stored} = 1 if $there{$key};
		$void->{unknown} = 0;
	}
	return @found > 5 ? @found[ 0 .. 4 ] : @found;
}

# Look the unknown ones up; from then on they are stored or not.
sub _settle
{
	my ($self, $wire) = @_;
	my @keys = sort keys %{ $self->{unsettled} };
	while (my @part = splice @keys, 0, 500)
	{
		my $wanted = join ', ', map { _row_literal($_) } @part;
		my %there = map { join("\0", @$_) => 1 } @{ $wire->must(
			"SELECT tenant, principal, event_id FROM oracle.log
			WHERE (tenant, principal, event_id) IN ($wanted)") };
		foreach my $key (@part)
		{
			my $attempt = delete $self->{unsettled}{$key};
			my $event = $self->event($attempt);
			$event->{unknown} = 0;
			$self->{dirty}{$key} = $attempt;
			if ($there{$key} && !$event->{stored})
			{
				$event->{stored} = 1;
				$event->{content} = keys %{ $event->{contents} } == 1 ? $attempt : undef;
				$self->{acknowledged}{ $attempt->{tenant} }{ $attempt->{principal} }++;
			}
			$self->_count_possible($attempt, $event);
		}
	}
	return;
}

sub _row_literal
{
	my ($key) = @_;
	return '(' . join(', ', map { Aevon::Oracle::literal($_) } split(/\0/, $key, -1)) . ')';
}

sub _write
{
	my ($self, $wire) = @_;
	my @keys = sort keys %{ $self->{dirty} };
	while (my @part = splice @keys, 0, 500)
	{
		my @rows;
		foreach my $key (@part)
		{
			my $attempt = $self->{dirty}{$key};
			my $event = $self->{events}{$key};
			my $content = $event->{content};
			push @rows, '(' . join(', ',
				map({ Aevon::Oracle::literal($_) } @$attempt{qw(tenant principal event_id)}),
				Aevon::Oracle::literal($content && $content->{event_type}),
				Aevon::Oracle::literal($content && $content->{occurred_at}) . '::timestamptz',
				Aevon::Oracle::literal($content && $content->{data}) . '::jsonb',
				$event->{stored} ? 'true' : 'false') . ')';
		}
		$wire->must('INSERT INTO model.event VALUES ' . join(', ', @rows)
			  . ' ON CONFLICT (tenant, principal, event_id) DO UPDATE SET'
			  . ' event_type = excluded.event_type, occurred_at = excluded.occurred_at,'
			  . ' data = excluded.data, stored = excluded.stored');
	}
	$self->{dirty} = {};
	return;
}

1;
