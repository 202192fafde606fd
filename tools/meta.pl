#!/usr/bin/perl
# tools/meta.pl [FILE]: is META.json (or FILE) valid by the PGXN Meta Spec
# 1.0.0, does it carry the version of aevon.control, and are its files there?
# tools/meta.pl --write puts that version into META.json.
use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP;

sub complain($$);    # so that a condition is one scalar, a failed match too

chdir dirname($0) . '/..' or die "chdir: $!\n" if !@ARGV || $ARGV[0] eq '--write';

my $write = @ARGV && $ARGV[0] eq '--write' ? shift : undef;
my $file = shift // 'META.json';
my $version = control_version();

write_version() if $write;

my @found;
my $meta = eval { JSON::PP->new->utf8->decode(slurp($file)) };
if (ref $meta eq 'HASH')
{
	check_meta();
}
else
{
	push @found, 'not a JSON object: ' . ($@ || 'another kind of value');
}
print STDERR "$file: $_\n" foreach @found;
exit(@found ? 1 : 0);

sub slurp
{
	my ($path) = @_;

	open(my $in, '<', $path) or die "$path: $!\n";
	local $/ = undef;
	my $text = <$in>;
	close $in;
	return $text;
}

sub control_version
{
	slurp('aevon.control') =~ /^default_version\s*=\s*'([^']+)'/m
	  or die "aevon.control: no default_version\n";
	return $1;
}

sub write_version
{
	my $text = slurp($file);

	$text =~ s/("version": ")[^"]*(")(?!,\s*"url")/$1$version$2/g;
	$text =~ s/aevon--[0-9][^"]*\.sql/aevon--$version.sql/;
	open(my $out, '>', $file) or die "$file: $!\n";
	print $out $text;
	close $out or die "$file: $!\n";
	return;
}

sub complain($$)
{
	my ($condition, $text) = @_;

	push @found, $text if !$condition;
	return;
}

sub is_string { my ($v) = @_; return defined $v && !ref $v && $v ne ''; }
sub is_term { my ($v) = @_; return is_string($v) && $v =~ m{^[^\s/\\:[:cntrl:]]{2,}$}; }
sub is_version { my ($v) = @_; return is_string($v) && $v =~ /^\d+\.\d+\.\d+(?:-?[A-Za-z][0-9A-Za-z-]*)?$/; }
sub is_uri { my ($v) = @_; return is_string($v) && $v =~ m{^[a-z][a-z0-9+.-]*://\S+$}i; }

sub is_range
{
	my ($v) = @_;

	return 0 if !defined $v || ref $v;
	return 1 if $v eq '0';
	return !grep { !/^\s*(?:(?:<|<=|>|>=|==|!=)\s*)?(\S+)\s*$/ || !is_version($1) } split /,/, $v;
}

sub strings
{
	my ($v) = @_;

	return ref $v eq 'ARRAY' ? @$v : ($v);
}

sub check_meta
{
	my %known = map { $_ => 1 }
	  qw(abstract maintainer license provides meta-spec name version description generated_by
	  tags no_index prereqs release_status resources);

	foreach my $key (sort keys %$meta)
	{
		complain($known{$key} || $key =~ /^x_/i, "unknown key \"$key\"");
	}
	complain(is_string($meta->{abstract}), 'abstract: a string is required');
	complain(!grep({ !is_string($_) } strings($meta->{maintainer})), 'maintainer: a string or a list is required');
	complain(is_term($meta->{name}), 'name: a term is required');
	complain(is_version($meta->{version}), 'version: a semantic version is required');
	complain(($meta->{version} // '') eq $version, "version: aevon.control says $version (tools/meta.pl --write)");
	check_license($meta->{license});
	check_provides($meta->{provides});
	check_spec($meta->{'meta-spec'});
	check_optional();
	return;
}

sub check_license
{
	my ($license) = @_;
	my %known = map { $_ => 1 }
	  qw(agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3 gpl_1
	  gpl_2 gpl_3 lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql
	  qpl_1_0 ssleay sun zlib open_source restricted unrestricted unknown);

	if (ref $license eq 'HASH')
	{
		complain(%$license && !grep({ !is_uri($_) } values %$license), 'license: names with URIs are required');
	}
	else
	{
		complain(!grep({ !$known{ $_ // '' } } strings($license)), 'license: not one of the specification');
	}
	return;
}

sub check_provides
{
	my ($provides) = @_;

	if (ref $provides ne 'HASH' || !%$provides)
	{
		complain(0, 'provides: at least one extension is required');
		return;
	}
	foreach my $name (sort keys %$provides)
	{
		my $extension = $provides->{$name};

		complain(is_term($name), "provides: \"$name\" is no term");
		if (ref $extension ne 'HASH')
		{
			complain(0, "provides: $name is no object");
			next;
		}
		complain(is_version($extension->{version}), "provides: $name: a version is required");
		complain(($extension->{version} // '') eq $version, "provides: $name: aevon.control says $version");
		complain(is_string($extension->{file}) && -e $extension->{file}, "provides: $name: file is not there");
		complain(!exists $extension->{docfile} || -e $extension->{docfile}, "provides: $name: docfile is not there");
		complain(!exists $extension->{abstract} || is_string($extension->{abstract}), "provides: $name: abstract is no string");
	}
	return;
}

sub check_spec
{
	my ($spec) = @_;

	complain(ref $spec eq 'HASH' && ($spec->{version} // '') eq '1.0.0', 'meta-spec: version 1.0.0 is required');
	complain(ref $spec ne 'HASH' || !exists $spec->{url} || is_uri($spec->{url}), 'meta-spec: url is no URI');
	return;
}

sub check_optional
{
	my $tags = $meta->{tags} // [];
	my $prereqs = $meta->{prereqs} // {};
	my $resources = $meta->{resources} // {};

	foreach my $key (qw(description generated_by))
	{
		complain(!exists $meta->{$key} || is_string($meta->{$key}), "$key: a string is required");
	}
	complain(!exists $meta->{release_status} || $meta->{release_status} =~ /^(?:stable|testing|unstable)$/,
		'release_status: stable, testing or unstable');
	complain(ref $tags eq 'ARRAY' && !grep({ !is_string($_) || m{[/\\[:cntrl:]]} || length($_) > 255 } @$tags),
		'tags: a list of short strings without slashes is required');
	complain(ref $resources eq 'HASH' && !grep({ !/^(?:homepage|bugtracker|repository|x_.*)$/i } keys %$resources),
		'resources: homepage, bugtracker or repository');
	complain(!exists $resources->{homepage} || is_uri($resources->{homepage}), 'resources: homepage is no URI')
	  if ref $resources eq 'HASH';
	check_prereqs($prereqs);
	check_no_index($meta->{no_index} // {});
	return;
}

sub check_prereqs
{
	my ($prereqs) = @_;

	if (ref $prereqs ne 'HASH')
	{
		complain(0, 'prereqs: an object is required');
		return;
	}
	foreach my $phase (sort keys %$prereqs)
	{
		complain($phase =~ /^(?:configure|build|test|runtime|develop|x_.*)$/i, "prereqs: unknown phase \"$phase\"");
		foreach my $relation (sort keys %{ $prereqs->{$phase} })
		{
			my $wanted = $prereqs->{$phase}{$relation};

			complain($relation =~ /^(?:requires|recommends|suggests|conflicts|x_.*)$/i,
				"prereqs: unknown relation \"$relation\"");
			complain(is_term($_) && is_range($wanted->{$_}), "prereqs: $_ is no term with a range of versions")
			  foreach sort keys %$wanted;
		}
	}
	return;
}

sub check_no_index
{
	my ($no_index) = @_;

	complain(ref $no_index eq 'HASH' && !grep({ !/^(?:file|directory|x_.*)$/i } keys %$no_index),
		'no_index: file or directory');
	return;
}
