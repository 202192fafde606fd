# The documentation says what the code does.
#
# - Every ```sql block of README.md and docs/*.md runs, file by file, in order,
#   in a database of its own.  A statement ends with a semicolon, \gset or
#   \gexec at the end of a line.  One that must fail carries a comment "-- ERROR: SQLSTATE"; any other
#   must not.
# - A ```text block right behind an ```sql block is what psql prints for it; in
#   it "…" stands for anything within a line.
# - The ```yaml blocks are rule files that aevon_load_rules takes.
# - Every setting, public function, public view and SQLSTATE column is described,
#   every file named in backquotes exists, every link leads somewhere, and
#   figures are the recorded ones.
use strict;
use warnings;

use AevonTest;
use File::Basename qw(basename dirname);
use PostgreSQL::Test::Utils;
use Test::More;

my @files = ('README.md', sort glob 'docs/*.md');
my %text = map { $_ => slurp_file($_) } @files;
my $rule_directory = PostgreSQL::Test::Utils::tempdir();

my $node = aevon_node('docs', quiet => 1,
	conf => "cron.database_name = 'docs_sql_reference'\n");

write_rule_files();
run_file($_) foreach @files;
check_coverage();
check_paths($_) foreach @files;
check_links($_) foreach @files;
check_recorded_figures();
$node->stop;
done_testing();

# The fenced blocks of a text: [language, content, line], and whether only
# blank lines lie between a block and the one before.
sub blocks
{
	my ($file) = @_;
	my @blocks;
	my $block;
	my $adjacent = 0;
	my $number = 0;

	foreach my $line (split /\n/, $text{$file})
	{
		$number++;
		if (!$block && $line =~ /^```(\w*)$/)
		{
			$block = {
				language => $1, lines => [], first => $number + 1,
				adjacent => $adjacent
			};
		}
		elsif ($block && $line eq '```')
		{
			push @blocks, $block;
			$block = undef;
			$adjacent = 1;
		}
		elsif ($block)
		{
			push @{ $block->{lines} }, $line;
		}
		elsif ($line =~ /\S/)
		{
			$adjacent = 0;
		}
	}
	die "$file: a block is not closed\n" if $block;
	return @blocks;
}

# The statements of a block: text, line, SQLSTATE that is expected or ''.
sub statements
{
	my ($block) = @_;
	my @statements;
	my @lines;
	my $number = $block->{first} - 1;
	my $first;

	foreach my $line (@{ $block->{lines} })
	{
		$number++;
		next if !@lines && $line !~ /\S/;
		$first = $number if !@lines;
		push @lines, $line;
		next if $line !~ /(;\s*(--.*)?|\\gset|\\gexec)$/ && !(@lines == 1 && $line =~ /^\\/);
		my $source = join "\n", @lines;
		my ($error) = $source =~ /-- ERROR: (\w{5})/;
		push @statements,
		  { text => $source, line => $first, error => $error // '' };
		@lines = ();
	}
	die "unfinished statement at line $first\n"
	  if grep { !/^\s*(--.*)?$/ } @lines;
	return @statements;
}

sub run_file
{
	my ($file) = @_;
	my $database = 'docs_' . lc(basename($file, '.md') =~ s/\W/_/gr);
	my @parts;

	foreach my $block (blocks($file))
	{
		if ($block->{language} eq 'sql')
		{
			push @parts, { statements => [ statements($block) ] };
		}
		elsif ($block->{language} eq 'text' && $block->{adjacent} && @parts)
		{
			$parts[-1]{output} = join "\n", @{ $block->{lines} };
			$parts[-1]{output_line} = $block->{first};
		}
	}
	return if !@parts;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION aevon')
	  if $text{$file} !~ /^CREATE EXTENSION aevon;/m;
	$node->safe_psql($database, 'CREATE EXTENSION pg_cron')
	  if $text{$file} =~ /^SELECT aevon_schedule\(/m;
	check_run($file, \@parts, run_psql($database, \@parts));
	return;
}

# Run all statements in one session; what each printed, and the error it raised.
sub run_psql
{
	my ($database, $parts) = @_;
	my $script = "\\set VERBOSITY verbose\n";
	my ($stdout, $stderr) = ('', '');
	my (@output, @error);
	my $n = 0;

	foreach my $statement (map { @{ $_->{statements} } } @$parts)
	{
		my $source = $statement->{text} =~ s{/etc/aevon/rules}{$rule_directory}gr;

		$script .= "\\echo \@\@ $n\n\\warn \@\@ $n\n$source\n";
		$n++;
	}
	IPC::Run::run([ 'psql', '-X', '-q', '-d', $node->connstr($database), '-f', '-' ],
		'<', \$script, '>', \$stdout, '2>', \$stderr);
	while ($stdout =~ /^@@ (\d+)\n(.*?)(?=^@@ |\z)/msg)
	{
		$output[$1] = $2;
	}
	while ($stderr =~ /(?:^|: )@@ (\d+)\n(.*?)(?=(?:^|^psql\S+ )@@ |\z)/msg)
	{
		my ($number, $messages) = ($1, $2);

		$error[$number] = $messages =~ /(?:ERROR|FATAL):\s+(\w{5}): (.*)/
		  ? { state => $1, message => $2 } : { state => '' };
	}
	return (\@output, \@error);
}

sub check_run
{
	my ($file, $parts, $output, $error) = @_;
	my $n = 0;

	foreach my $part (@$parts)
	{
		my $printed = '';

		foreach my $statement (@{ $part->{statements} })
		{
			is($error->[$n]{state}, $statement->{error},
				"$file:$statement->{line} "
				  . ($statement->{error} ? "raises $statement->{error}" : 'runs'))
			  or diag($error->[$n]{message} // 'psql did not get there');
			$printed .= $output->[$n] // '';
			$n++;
		}
		next if !defined $part->{output};
		ok(same_output($part->{output}, $printed),
			"$file:$part->{output_line} shows what psql prints")
		  or diag($printed);
	}
	return;
}

# The same but for trailing space and empty lines, … being anything.
sub same_output
{
	my ($expected, $printed) = map { plain($_) } @_;
	my $pattern = join '[^\n]*', map { quotemeta } split /…/, $expected, -1;

	utf8::encode($pattern) if utf8::is_utf8($pattern);
	return $printed =~ /^$pattern$/;
}

sub plain
{
	my ($lines) = @_;

	return join "\n", grep { /\S/ } map { s/\s+$//r } split /\n/, $lines;
}

# Each yaml block is a file; they are loaded by the example that names
# /etc/aevon/rules.
sub write_rule_files
{
	my $n = 0;

	foreach my $file (@files)
	{
		foreach my $block (grep { $_->{language} eq 'yaml' } blocks($file))
		{
			append_to_file("$rule_directory/" . $n++ . '.yaml',
				join("\n", @{ $block->{lines} }, ''));
		}
	}
	ok($n > 0, 'there are YAML examples');
	return;
}

sub check_coverage
{
	my $database = 'docs_sql_reference';
	my $reference = $text{'docs/sql-reference.md'};
	my $operations = $text{'docs/operations.md'};
	my @names = split /\n/, $node->safe_psql($database, <<~'EOQ');
		SELECT DISTINCT p.proname FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
		WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
			AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'aevon')
			AND p.pronamespace <> 'aevon'::regnamespace
		ORDER BY 1
		EOQ
	my @views = split /\n/, $node->safe_psql($database,
		"SELECT viewname FROM pg_views WHERE schemaname = 'aevon' ORDER BY 1");
	my @settings = split /\n/, $node->safe_psql($database,
		"LOAD 'aevon'; SELECT name FROM pg_settings WHERE name LIKE 'aevon.%' ORDER BY 1");

	cmp_ok(scalar @names, '>', 10, 'there are public functions');
	cmp_ok(scalar @settings, '>', 5, 'there are settings');
	like($reference, qr/^### \Q$_\E$/m, "the reference describes $_") foreach @names;
	like($reference, qr/^### aevon\.\Q$_\E$/m, "the reference describes view aevon.$_")
	  foreach @views;
	like($operations, qr/^\| `\Q$_\E` /m, "operations describe setting $_") foreach @settings;
	foreach my $setting (@settings)
	{
		my $default = $node->safe_psql($database,
			"LOAD 'aevon'; SELECT boot_val || coalesce(nullif(unit, 'none'), '') FROM pg_settings WHERE name = '$setting'");
		my ($said) = $operations =~ /^\| `\Q$setting\E` \| `?([^|`]*)`? \|/m;
		is(bare_value($node, $database, $setting, $said // '?'), bare_value($node, $database, $setting, $default),
			"operations give the default of $setting");
	}
	return;
}

# A value of a setting in its base unit, however it is written.
sub bare_value
{
	my ($node, $database, $setting, $value) = @_;

	$value =~ s/^\s+|\s+$|,//g;
	$value = '' if $value eq '(empty)';
	return $value if $value !~ /\d/ || $value =~ /^\d+$/;
	my ($number, $unit) = $value =~ /^(-?\d+) ?(\w+)$/ or return $value;
	my %factor = (ms => 1, s => 1000, min => 60000, h => 3600000, d => 86400000,
		kB => 1, MB => 1024);
	return $value if !$factor{$unit};
	return $number * $factor{$unit};
}

sub check_paths
{
	my ($file) = @_;
	my %seen;
	my @missing;

	while ($text{$file} =~ m{`((?:src|sql|test|tools|bench|demo|docs|expected)/[\w./*-]+)`}g)
	{
		my $path = $1;

		next if $seen{$path}++ || $path =~ /NNN/;
		my ($found) = glob $path;
		push @missing, $path if !defined $found || !-e $found;
	}
	is("@missing", '', "$file names files that exist");
	return;
}

sub check_links
{
	my ($file) = @_;
	my @broken;

	while ($text{$file} =~ /\]\(([^)\s]+)\)/g)
	{
		my $link = $1;
		my ($path, $anchor) = split /#/, $link, 2;

		next if $link =~ /^https?:/;
		my $target = $path eq '' ? $file : join_path(dirname($file), $path);
		if (!-e $target)
		{
			push @broken, $link;
		}
		elsif (defined $anchor)
		{
			my %anchors = map { anchor_of($_) => 1 }
			  slurp_file($target) =~ /^#+ (.+)$/mg;

			push @broken, $link if !$anchors{$anchor};
		}
	}
	is("@broken", '', "$file has links that lead somewhere");
	return;
}

# Figures of a benchmark that a page shows are the recorded ones.
sub check_recorded_figures
{
	my ($table) = slurp_file('bench/results-sizes.md') =~ /^(\| \|.*)\z/ms;

	ok(index($text{'docs/design.md'}, $table) >= 0, 'docs/design.md shows the recorded row sizes');
	my $summary = slurp_file('bench/summary.md');
	ok(index($text{'README.md'}, "<!-- figures -->\n$summary<!-- /figures -->") >= 0,
		'README.md shows the recorded summary');
	return;
}

sub join_path
{
	my ($directory, $path) = @_;

	return $path if $directory eq '.';
	while ($path =~ s{^\.\./}{})
	{
		$directory = dirname($directory);
	}
	return $directory eq '.' ? $path : "$directory/$path";
}

# As GitHub and GitLab make anchors of headings.
sub anchor_of
{
	my ($heading) = @_;

	return lc($heading) =~ s/`//gr =~ s/[^\w\s-]//gr =~ s/\s/-/gr;
}
