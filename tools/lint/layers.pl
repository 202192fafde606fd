#!/usr/bin/perl
# The include rules of src/: see layers.txt.  Also: queries.h is included by
# catalog only, and only compat.h may look at PostgreSQL's version.
use strict;
use warnings;

use File::Basename qw(basename dirname);

my $here = dirname($0);
my $src = shift // "$here/../../src";
my (%layer, %uses, @found);

open(my $table, '<', "$here/layers.txt") or die "layers.txt: $!\n";
while (<$table>)
{
	$layer{$1} = $2 if /^(\w+)\s+(\d+)/;
}
close $table;

check_file($_) foreach sort glob "$src/*.[ch]";
check_circles();
print STDERR "$_\n" foreach @found;
exit(@found ? 1 : 0);

sub check_file
{
	my ($path) = @_;
	my $file = basename($path);
	my $module = $file =~ s/\.[ch]$//r;

	if (!defined $layer{$module})
	{
		push @found, "$file: module \"$module\" has no layer in tools/lint/layers.txt";
		return;
	}
	open(my $in, '<', $path) or die "$path: $!\n";
	while (my $line = <$in>)
	{
		if ($line =~ /^\s*#\s*include\s+"(\w+)\.h"/)
		{
			check_include("$file:$.", $module, $1) if -e "$src/$1.h";
		}
		if ($line =~ /\bPG_VERSION_NUM\b/ && $module ne 'compat')
		{
			push @found, "$file:$.: PG_VERSION_NUM belongs in compat.h only";
		}
	}
	close $in;
	return;
}

sub check_include
{
	my ($where, $module, $other) = @_;

	return if $module eq $other;
	$uses{$module}{$other} = $where;
	return if !defined $layer{$other};    # reported with its own file
	if ($layer{$other} > $layer{$module})
	{
		push @found, "$where: layer $layer{$module} includes \"$other.h\" of layer $layer{$other}";
	}
	elsif ($layer{$other} == $layer{$module} && $layer{$module} == 3)
	{
		push @found, "$where: sideways include of \"$other.h\" inside layer 3";
	}
	if ($other eq 'queries' && $module ne 'catalog')
	{
		push @found, "$where: queries.h is for catalog.h and catalog.c only";
	}
	return;
}

# Depth first: a module that is met again on its own path closes a circle.
sub check_circles
{
	my %done;

	my $visit;
	$visit = sub {
		my ($module, @path) = @_;

		return if $done{$module};
		if (grep { $_ eq $module } @path)
		{
			push @found, 'circle: ' . join(' -> ', @path, $module);
			return;
		}
		$visit->($_, @path, $module) foreach sort keys %{ $uses{$module} // {} };
		$done{$module} = 1;
		return;
	};
	$visit->($_) foreach sort keys %uses;
	return;
}
