# Seeded random numbers: the same seed gives the same choices on every machine.
package Aevon::Random;

use strict;
use warnings;

sub new
{
	my ($class, $seed) = @_;
	my $self = bless { state => $seed }, $class;
	$self->_next for 1 .. 4;
	return $self;
}

# 31 random bits (a 64-bit linear congruential generator's upper ones).
sub _next
{
	my ($self) = @_;
	use integer;
	$self->{state} = $self->{state} * 6364136223846793005 + 1442695040888963407;
	return ($self->{state} >> 33) & 0x7fffffff;
}

# A whole number from 0 up to, and without, n.
sub below
{
	my ($self, $n) = @_;
	return 0 if $n < 2;
	return $self->_next % $n if $n <= 0x7fffffff;
	my $wide = ($self->_next << 31) | $self->_next;
	return $wide % $n;
}

# A whole number in [low, high].
sub between
{
	my ($self, $low, $high) = @_;
	return $low + $self->below($high - $low + 1);
}

# True in this many of a hundred cases.
sub percent
{
	my ($self, $share) = @_;
	return $self->below(10000) < $share * 100;
}

sub pick
{
	my ($self, @list) = @_;
	return $list[ $self->below(scalar @list) ];
}

# A key of the hash { choice => weight }, in proportion to its weight.
sub weighted
{
	my ($self, $weights) = @_;
	my $total = 0;
	$total += $_ for values %$weights;
	my $at = $self->below($total);
	foreach my $choice (sort keys %$weights)
	{
		return $choice if $at < $weights->{$choice};
		$at -= $weights->{$choice};
	}
	die "unreachable";
}

1;
