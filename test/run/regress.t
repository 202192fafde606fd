# Every sql/*.sql through pg_regress, in one database, in order of name.
# slow
use strict;
use warnings;

use RegressRunner;

run_regress_files(
	name => 'regress',
	program => $ENV{PG_REGRESS},
	files => 'sql/*.sql',
	suffix => '.sql',
	input => '.');
