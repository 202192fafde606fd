#!/usr/bin/perl
# Names of the types that preprocessed C (standard input) defines by typedef,
# one a line, sorted.  With --ours only those defined in src/ itself.
use strict;
use warnings;

my $ours = @ARGV && $ARGV[0] eq '--ours';
my ($wanted, $text, %names) = (1, '');

while (my $line = <STDIN>)
{
	if ($line =~ /^# \d+ "([^"]*)"/)
	{
		$wanted = !$ours || $1 =~ m{^src/};
		next;
	}
	$text .= $line if $wanted;
}

# Bodies hold no types of ours to name: drop them, innermost first.
1 while $text =~ s/\{[^{}]*\}/ /g;
while ($text =~ /\btypedef\b([^;]*);/g)
{
	my $declaration = $1;

	1 while $declaration =~ s/__attribute__\s*(\((?:[^()]|(?1))*\))/ /g;
	if ($declaration =~ /\(\s*\*\s*(\w+)\s*\)/ || $declaration =~ /(\w+)\s*(?:\[[^\]]*\]|\((?:[^()]|\([^()]*\))*\))?\s*$/)
	{
		$names{$1} = 1;
	}
}
print "$_\n" foreach sort keys %names;
