# Every test/isolation/specs/*.spec through pg_isolation_regress.
use strict;
use warnings;

use RegressRunner;

run_regress_files(
	name => 'isolation',
	program => $ENV{PG_ISOLATION_REGRESS},
	files => 'test/isolation/specs/*.spec',
	suffix => '.spec',
	input => 'test/isolation');
