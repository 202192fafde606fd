#!/usr/bin/perl
# The rules of style that a line of C shows: see the checks below.  Prints what
# breaks them; with --long also functions of more than 60 lines.
#
# To allow a line for good reason, end it in a comment /* lint: reason */.
use strict;
use warnings;

use File::Basename qw(basename dirname);

my $show_long = @ARGV && $ARGV[0] eq '--long' ? shift : undef;
my $src = shift // dirname($0) . '/../../src';
my $long_lines = 60;
my $most_lines = 120;
my $most_parameters = 5;
my $sql_start = qr/"(?:SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|TRUNCATE|LOCK|GRANT|REVOKE|MERGE|COPY|NOTIFY|LISTEN|SET|RESET|VACUUM|BEGIN|COMMIT)\s/;
my @found;

foreach my $path (sort glob "$src/*.[ch]")
{
	my @lines = read_lines($path);
	my $file = basename($path);

	if ($file eq 'queries.h')
	{
		check_queries($file, @lines);
		next;
	}
	check_lines($file, @lines);
	check_functions($file, @lines) if $file =~ /\.c$/;
	check_prototypes($file, join('', @lines)) if $file =~ /\.h$/;
}
print STDERR "$_\n" foreach @found;
exit(@found ? 1 : 0);

sub read_lines
{
	my ($path) = @_;

	open(my $in, '<', $path) or die "$path: $!\n";
	my @lines = <$in>;
	close $in;
	return @lines;
}

sub check_lines
{
	my ($file, @lines) = @_;
	my @code = split /^/, join('', @lines) =~ s{(/\*.*?\*/)}{$1 =~ tr/\n//cdr}gesr;

	for my $i (0 .. $#lines)
	{
		my $line = $lines[$i];
		my $where = "$file:" . ($i + 1);
		my $code = $code[$i] // '';

		next if $line =~ m{/\* lint: };
		push @found, "$where: unfinished work is not marked, it is done"
		  if $line =~ /\b(?:TODO|FIXME|XXX)\b/;
		push @found, "$where: comments are /* */"
		  if $code =~ m{(?:^|[\s;])//};
		push @found, "$where: SQL texts belong in queries.h"
		  if $code =~ $sql_start;
		push @found, "$where: result of $1 is not looked at"
		  if $code =~ /^\s*(?:\(void\)\s*)?(SPI_(?:exec\w*|prepare\w*|keepplan|cursor_\w+|register\w*))\s*\(/
		  && $1 !~ /^SPI_cursor_(?:close|fetch|move)$/;
		push @found, "$where: SQL runs by aevon_catalog_run"
		  if $code =~ /\bSPI_(?:exec|prepare)/ && $file ne 'catalog.c';
		push @found, "$where: memory comes from palloc"
		  if $code =~ /\b(?:malloc|calloc|realloc|strdup)\s*\(/;
		push @found, "$where: $1 knows no bounds"
		  if $code =~ /\b(sprintf|strcpy|strcat|gets)\s*\(/;
		push @found, "$where: an error of the user's needs an SQLSTATE"
		  if $code =~ /\bereport\s*\(\s*(?:ERROR|FATAL)/
		  && statement(@lines[$i .. ($i + 15 < $#lines ? $i + 15 : $#lines)]) !~ /\berrcode\w*\s*\(/;
	}
	return;
}

# The text up to the first semicolon that ends a line.
sub statement
{
	my $text = '';

	foreach my $line (@_)
	{
		$text .= $line;
		last if $line =~ /;\s*$/;
	}
	return $text;
}

# A function's body is between the braces at the start of a line.
sub check_functions
{
	my ($file, @lines) = @_;
	my ($name, $start, $head) = ('?', 0, '');

	for my $i (0 .. $#lines)
	{
		if ($lines[$i] =~ /^(\w+)\s*\(/)
		{
			$name = $1;
			$head = $i > 0 ? $lines[$i - 1] : '';
			check_name("$file:" . ($i + 1), $name) if $head !~ /\bstatic\b/;
		}
		elsif ($lines[$i] =~ /^\{/)
		{
			$start = $i;
		}
		elsif ($lines[$i] =~ /^\}\s*$/ && $start)
		{
			check_length("$file:" . ($start + 1), $name, $i - $start - 1);
			$start = 0;
		}
	}
	return;
}

sub check_name
{
	my ($where, $name) = @_;

	return if $name =~ /^[A-Z_0-9]+$/;    # a macro's call
	push @found, "$where: exported \"$name\" is not named aevon_..."
	  if $name !~ /^(?:aevon_|_PG_)/;
	return;
}

sub check_length
{
	my ($where, $name, $length) = @_;

	if ($length >= $most_lines)
	{
		push @found, "$where: $name has $length lines (below $most_lines allowed)";
	}
	elsif ($show_long && $length > $long_lines)
	{
		print "$where: $name has $length lines (below $long_lines wished)\n";
	}
	return;
}

sub check_prototypes
{
	my ($file, $text) = @_;

	while ($text =~ /\bextern\s[^;]*?\b(\w+)\(((?:[^()]|\([^()]*\))*)\)[^;]*;/g)
	{
		my ($name, $parameters) = ($1, $2);

		$parameters =~ s/\([^()]*\)//g;
		my $count = () = $parameters =~ /,/g;
		push @found, "$file: $name has " . ($count + 1) . " parameters (at most $most_parameters)"
		  if $count + 1 > $most_parameters;
	}
	return;
}

# SQL texts: values are bound; names, functions and operators are qualified.
sub check_queries
{
	my ($file, @lines) = @_;
	my $text = join '', @lines;

	$text =~ s{/\*.*?\*/}{}gs;
	$text = expand_texts($text);
	while ($text =~ /AEVON_QUERY\(\s*(\w+),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)/g)
	{
		my ($name, $sql) = ($1, $2);

		$sql =~ s/"\s*"//g;
		$sql =~ s/^"|"\s*$//g;
		check_query("$file: $name", $sql);
	}
	return;
}

# With each text that has a name, by #define, put where the name stands.
sub expand_texts
{
	my ($text) = @_;
	my %named;

	$text =~ s/\\\n/\n/g;
	$named{$1} = $2
	  while $text =~ s/^#define\s+(\w+)\s+((?:"(?:[^"\\]|\\.)*"\s*)+)//m;
	foreach my $name (keys %named)
	{
		$text =~ s/^#undef\s+$name$//m;
		$text =~ s/\b$name\b/$named{$name}/g;
	}
	return $text;
}

sub check_query
{
	my ($where, $sql) = @_;
	my %syntax = map { $_ => 1 }
	  qw(and any all array as by coalesce conflict distinct else exists filter from greatest in
	  intersect into join key lateral least not nullif on only operator or over row select set then union
	  using values when where);
	my %local = map { lc $_ => 1 } $sql =~ /(?:\bWITH(?:\s+RECURSIVE)?|\),)\s+(\w+)(?:\s*\([\w, ]*\))?\s+AS\b/gi;

	push @found, "$where: a text is a constant, with no %s" if $sql =~ /%[a-zA-Z]/;
	$sql =~ s/'(?:[^']|'')*'/''/g;
	while ($sql =~ /\b(?:FROM|JOIN|INTO|UPDATE)\s+(?:ONLY\s+)?(\w+)\b(?!\s*[.(])/gi)
	{
		my $table = lc $1;

		next if $local{$table} || $table =~ /^(?:set|of|skip|nowait|lateral|select|unnest)$/;
		push @found, "$where: table $1 is not qualified";
	}
	while ($sql =~ /(?<![.\w])(\w+)\s*\(/g)
	{
		next if $syntax{lc $1} || $local{lc $1} || $sql =~ /(?:\bAS|\bINTO\s+[\w.]+|\))\s+\Q$1\E\s*\(/i;
		push @found, "$where: function $1 is not qualified";
	}
	$sql =~ s/OPERATOR\(pg_catalog\.[^)\s]+\)//g;
	$sql =~ s/\(\s*\*\s*\)|\bSELECT\s+\*|\.\*//g;
	# the = of SET is no operator
	while ($sql =~ s/(\bSET\b(?:(?!\bWHERE\b).)*?\w\s*)=/$1/is) { }
	push @found, "$where: operator $1 is not written OPERATOR(pg_catalog.$1)"
	  if $sql =~ /\s([-+*\/<>=~!@#%^&|]+)\s/;
	push @found, "$where: $1 finds its operator by the search path"
	  if $sql =~ /\b((?:NOT\s+)?(?:I?LIKE|BETWEEN|SIMILAR\s+TO)|IS\s+(?:NOT\s+)?DISTINCT\s+FROM|IN)\b(?!\s+SHARE)(?=[\s(])/i;
	return;
}
