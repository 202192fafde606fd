# META.json is valid for PGXN and in step with aevon.control; and the validator
# finds what is not.
use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->utf8->canonical;
my $broken = "$PostgreSQL::Test::Utils::tmp_check/META.json";

is(validate('META.json'), 0, 'META.json is valid');

refused('no name', sub { delete $_[0]{name} });
refused('a version of two numbers', sub { $_[0]{version} = '0.1' });
refused('another version than aevon.control', sub { $_[0]{version} = '9.9.9' });
refused('another version of the extension', sub { $_[0]{provides}{aevon}{version} = '9.9.9' });
refused('an unknown licence', sub { $_[0]{license} = 'mine' });
refused('nothing provided', sub { $_[0]{provides} = {} });
refused('a file that is not there', sub { $_[0]{provides}{aevon}{file} = 'sql/none.sql' });
refused('no meta-spec', sub { delete $_[0]{'meta-spec'} });
refused('an unknown key', sub { $_[0]{maintainers} = 'x' });
refused('an unknown release status', sub { $_[0]{release_status} = 'done' });
refused('a tag with a slash', sub { $_[0]{tags} = ['a/b'] });
refused('a broken range of versions', sub { $_[0]{prereqs}{runtime}{requires}{PostgreSQL} = '15 or so' });
done_testing();

sub validate
{
	my ($file) = @_;

	IPC::Run::run([ 'perl', 'tools/meta.pl', $file ], '>', \my $out, '2>', \my $err);
	return $? >> 8;
}

sub refused
{
	my ($what, $break) = @_;
	my $meta = $json->decode(slurp_file('META.json'));

	$break->($meta);
	open(my $out, '>', $broken) or die "$broken: $!\n";
	print $out $json->encode($meta);
	close $out;
	is(validate($broken), 1, "refused: $what");
	return;
}
