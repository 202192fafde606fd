# The model checker: many sessions driven by one loop, crashes, and quiescent
# points where everything is compared with the oracle.
package Aevon::Checker;

use strict;
use warnings;

use IO::Select;
use List::Util qw(min);
use Time::HiRes qw(time sleep);

use Aevon::Model;
use Aevon::Oracle;
use Aevon::Random;
use Aevon::Wire;
use Aevon::Workload;

# Events in one database before a new one is made, so that long runs keep
# their pace.
my $EVENTS_PER_DATABASE = 40_000;

# Options: node (PostgreSQL::Test::Cluster, running, with the settings of
# settings), seed, seconds, note (callback for messages), and optionally
# cases (per quiescent point), crash_every and quiet_every (seconds),
# least_comparisons and least_crashes (for which it runs longer),
# stop_at_failure.
sub new
{
	my ($class, %option) = @_;
	my $self = bless {
		cases => 120,
		crash_every => 5,
		least_comparisons => 0,
		least_crashes => 0,
		quiet_every => 11,
		note => sub { },
		failures => [],
		comparisons => 0,
		live_comparisons => 0,
		crashes => 0,
		full => 0,
		statements => 0,
		errors => {},
		epoch => 0,
		stop_at_failure => 1,
		%option,
	}, $class;
	$self->{rnd} = Aevon::Random->new($self->{seed});
	return $self;
}

# The settings a node needs: text for its postgresql.conf.
sub settings
{
	return <<'CONF';
restart_after_crash = on
max_prepared_transactions = 50
max_connections = 40
fsync = off
synchronous_commit = on
checkpoint_timeout = 30s
deadlock_timeout = 300ms
autovacuum_naptime = 1s
aevon.sweep_interval = '300ms'
aevon.tail_target_events = 200
aevon.sweep_batch_events = 150
aevon.open_minutes = 4
aevon.max_series_per_rule = 60
CONF
}

sub fail
{
	my ($self, $what) = @_;
	push @{ $self->{failures} }, $what;
	$self->{note}->("FAILURE: $what");
	return;
}

sub run
{
	my ($self) = @_;
	$self->{ends_at} = time + $self->{seconds};
	$self->_new_database;
	$self->{next_crash} = time + $self->{crash_every} / 2;
	$self->{next_quiet} = time + $self->{quiet_every};
	while (!$self->_is_over)
	{
		$self->_run_clients(min($self->{next_quiet}, $self->{next_crash}));
		if (time >= $self->{next_crash})
		{
			$self->_crash;
			$self->{next_crash} = time + $self->{crash_every};
		}
		if (time >= $self->{next_quiet})
		{
			$self->_quiesce;
			$self->{next_quiet} = time + $self->{quiet_every};
			$self->_new_database if keys %{ $self->{model}{events} } > $EVENTS_PER_DATABASE;
		}
	}
	$self->_quiesce unless $self->_gave_up;
	$self->_finish_prepared;
	$self->_quiesce unless $self->_gave_up;
	$_->{wire} && $_->{wire}->disconnect foreach @{ $self->{clients} };
	return !@{ $self->{failures} };
}

# Time is up, and enough was done (or, on a very slow machine, time is long up).
sub _is_over
{
	my ($self) = @_;
	return 1 if $self->_gave_up;
	return 0 if time < $self->{ends_at};
	return time > $self->{ends_at} + 60
	  || $self->{comparisons} >= $self->{least_comparisons}
	  && $self->{crashes} >= $self->{least_crashes};
}

sub _gave_up
{
	my ($self) = @_;
	return $self->{stop_at_failure} && @{ $self->{failures} };
}

# --- Databases and sessions ------------------------------------------------

sub _connect
{
	my ($self, $dbname, $name) = @_;
	return Aevon::Wire->connect(host => $self->{node}->host, port => $self->{node}->port,
		dbname => $dbname // $self->{dbname}, name => $name // 'torture');
}

# Connect, for as long as the server may need to recover.
sub _must_connect
{
	my ($self, $dbname) = @_;
	my $give_up = time + 120;
	while (time < $give_up)
	{
		my $wire = $self->_connect($dbname);
		return $wire if $wire;
		sleep 0.1;
	}
	die 'the server does not come back';
}

sub _new_database
{
	my ($self) = @_;
	my $old = $self->{dbname};
	$_->{wire} && $_->{wire}->disconnect foreach @{ $self->{clients} };
	$self->_finish_prepared if defined $old;

	my $postgres = $self->_must_connect('postgres');
	$self->{dbname} = 'epoch' . ++$self->{epoch};
	$postgres->must("CREATE DATABASE $self->{dbname}");
	my $wire = $self->_must_connect;
	$wire->must('CREATE EXTENSION aevon; CREATE EXTENSION amcheck');
	$self->{model} = Aevon::Model->new;
	$self->{model}->install($wire);
	Aevon::Oracle->install($wire);
	$self->{prepared} = {};
	$self->{workload} = Aevon::Workload->new(
		model => $self->{model}, prepared => $self->{prepared},
		remembered => ($self->{remembered} = []),
		now => int(time) * 1_000_000);
	$self->_make_clients($wire);
	$self->_install_helpers($wire);
	$wire->disconnect;
	if (defined $old)
	{
		# a worker may be connected: it must not keep us from dropping
		my $dropped = $postgres->query("DROP DATABASE $old");
		$self->fail("DROP DATABASE with a worker: $dropped->{error}{M}") if $dropped->{error};
	}
	$postgres->disconnect;
	return;
}

sub _install_helpers
{
	my ($self, $wire) = @_;
	$wire->must(<<'SQL');
CREATE FUNCTION model.counted(tenant text, principal text) RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT (aevon_state($1, $2, 'events')->'rules'->'events'->'values'->0->>'event_count')::bigint $$;
CREATE FUNCTION model.counted_by_hour(tenant text) RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT coalesce(sum(event_count), 0)::bigint
	FROM aevon_windows($1, NULL, 'events', granularity => '1h') $$;
SELECT aevon_define_rule('events', '*', '{count}');
SELECT aevon_define_rule('spend', 'order', '{sum,count,min,max,avg,last}', '$.amount');
SELECT aevon_define_rule('sizes', 'order', '{p95,p50,distinct}', '$.amount');
-- the values of one are few, those of the other soon too many
SELECT aevon_define_rule('few', 'order', '{sum,count}', '$.amount', dimensions => '{"x": "flag", "y": "plan"}');
SELECT aevon_define_rule('many', 'order', '{sum,count}', '$.amount', dimensions => '{"x": "$.a.b", "y": "plan"}',
	rollups => '{y}');
SQL
	foreach my $client (@{ $self->{clients} })
	{
		$wire->must("CREATE TABLE model.stage_$client->{id} (tenant text, principal text,"
			  . ' event_id text, event_type text, occurred_at timestamptz, data jsonb)');
	}
	# tenants must exist before they can be asked for
	foreach my $tenant (@Aevon::Workload::TENANTS)
	{
		my $first = { tenant => $tenant, principal => 'p0', event_id => 'first',
			event_type => 'view', occurred_at => '2024-01-01 00:00:00+00', data => '{}' };
		$self->{model}->begin($first);
		$wire->must('SELECT ' . Aevon::Workload::single_sql($first));
		$self->{model}->acknowledge($first);
	}
	return;
}

sub _make_clients
{
	my ($self) = @_;
	my @roles = (('writer') x 6, 'sweeper', 'reader', 'admin');
	$self->{clients} = [ map { {
		id => $_, role => $roles[$_], plan => [], history => [], made => 0, prepared => 0,
		rnd => Aevon::Random->new($self->{seed} * 1000 + $self->{epoch} * 50 + $_),
	} } 0 .. $#roles ];
	return;
}

sub _open_session
{
	my ($self, $client) = @_;
	my $wire = $self->_must_connect;
	$client->{wire} = $wire;
	$wire->must("SET lock_timeout = '2s'; SET statement_timeout = '60s'");
	$wire->must(Aevon::Oracle->session_sql) if $client->{role} eq 'reader';
	return;
}

# --- The loop --------------------------------------------------------------

# Let the clients work until a time; or, without one, until their plans are
# over, with no new plans.
sub _run_clients
{
	my ($self, $until) = @_;
	my $give_up = time + 120;
	while (1)
	{
		last if $until && (time >= $until || $self->_gave_up);
		my $working = 0;
		foreach my $client (@{ $self->{clients} })
		{
			$self->_start_next($client, $until);
			$working++ if $client->{step} || @{ $client->{plan} };
		}
		last if !$until && !$working;
		if (!$until && time > $give_up)
		{
			$self->fail('clients do not come to an end: '
				  . join('; ', map { substr(ref $_->{sql} ? $_->{kind} : $_->{sql}, 0, 80) }
					grep { defined } map { $_->{step} } @{ $self->{clients} }));
			last;
		}
		$self->_serve(0.02);
	}
	return;
}

# Read what has come for busy sessions.
sub _serve
{
	my ($self, $timeout) = @_;
	my @busy = grep { $_->{wire} && $_->{wire}{busy} } @{ $self->{clients} };
	if (!@busy)
	{
		sleep $timeout;
		return;
	}
	my %by_handle = map { $_->{wire}->handle->fileno => $_ } @busy;
	my $select = IO::Select->new(map { $_->{wire}->handle } @busy);
	foreach my $handle ($select->can_read($timeout))
	{
		my $client = $by_handle{ $handle->fileno };
		$self->_finish_step($client) if $client->{wire}->pump;
	}
	return;
}

sub _start_next
{
	my ($self, $client, $new_plans) = @_;
	return if $client->{step} && $client->{step}{kind} ne 'wait';
	if ($client->{step})
	{
		return if time < $client->{wake_at};
		delete $client->{step};
	}
	$self->_open_session($client) unless $client->{wire};
	if (!@{ $client->{plan} })
	{
		return unless $new_plans;
		$client->{plan} = [ $self->{workload}->plan($client) ];
	}
	my $step = shift @{ $client->{plan} };
	$client->{step} = $step;
	if ($step->{kind} eq 'wait')
	{
		$client->{wake_at} = time + ($new_plans ? $step->{seconds} : 0);
		return;
	}
	my $model = $self->{model};
	foreach my $attempt (@{ $step->{attempts} // [] })
	{
		$attempt->{was_stored} = $model->is_stored($attempt);
		$model->begin($attempt);
	}
	my $sql = ref $step->{sql} ? $step->{sql}->() : $step->{sql};
	$step->{text} = $sql;
	$step->{started} = time;
	$self->{statements}++;
	$client->{wire}->send($sql);
	return;
}

sub _finish_step
{
	my ($self, $client) = @_;
	my $step = delete $client->{step};
	my $result = $client->{wire}{result};
	$self->{trace}->($client, $step, $result) if $self->{trace};
	if ($client->{wire}{dead})
	{
		$self->_lost($client, $step);
	}
	elsif ($result->{error})
	{
		$self->_failed($client, $step, $result->{error});
	}
	else
	{
		$self->fail("no error $step->{expect} in: $step->{text}") if $step->{expect};
		$step->{check}->($self, $step, $result) if $step->{check};
		$self->_succeeded($client, $step, $result);
	}
	return;
}

sub _succeeded
{
	my ($self, $client, $step, $result) = @_;
	my $model = $self->{model};
	my $kind = $step->{kind};
	my $transaction = $client->{transaction};
	my $tag = $result->{tags}[-1] // '';

	if ($kind eq 'begin')
	{
		$client->{transaction} = { attempts => [], marks => [], level => $step->{level} };
	}
	elsif ($kind eq 'ingest' || $kind eq 'void')
	{
		if ($transaction) { push @{ $transaction->{attempts} }, @{ $step->{attempts} }; }
		else { $model->acknowledge($_) foreach @{ $step->{attempts} }; }
	}
	elsif ($kind eq 'savepoint')
	{
		push @{ $transaction->{marks} }, [ $step->{name}, scalar @{ $transaction->{attempts} } ];
	}
	elsif ($kind eq 'release')
	{
		pop @{ $transaction->{marks} }
		  while @{ $transaction->{marks} } && $transaction->{marks}[-1][0] ne $step->{name};
		pop @{ $transaction->{marks} };
	}
	elsif ($kind eq 'rollback_to')
	{
		pop @{ $transaction->{marks} } while $transaction->{marks}[-1][0] ne $step->{name};
		$model->drop($_) foreach splice @{ $transaction->{attempts} }, $transaction->{marks}[-1][1];
	}
	elsif ($kind eq 'commit' || $kind eq 'rollback')
	{
		my $settle = $tag eq 'COMMIT' ? 'acknowledge' : 'drop';
		$model->$settle($_) foreach @{ $transaction->{attempts} };
		delete $client->{transaction};
	}
	elsif ($kind eq 'prepare')
	{
		delete $client->{transaction};
		if ($tag eq 'PREPARE TRANSACTION') { $self->{prepared}{ $step->{gid} } = $transaction; }
		else { $model->drop($_) foreach @{ $transaction->{attempts} }; }
	}
	elsif ($kind eq 'finish')
	{
		$self->_settle_prepared($step->{gid});
	}
	elsif ($kind eq 'compare')
	{
		$self->{comparisons} += $step->{cases};
		$self->{live_comparisons} += $step->{cases};
	}
	return;
}

sub _settle_prepared
{
	my ($self, $gid) = @_;
	my $transaction = delete $self->{prepared}{$gid};
	my $settle = $transaction->{finishing} eq 'COMMIT' ? 'acknowledge' : 'drop';
	$self->{model}->$settle($_) foreach @{ $transaction->{attempts} };
	return;
}

# An error: was it to be expected?  Then undo what it undid.
sub _failed
{
	my ($self, $client, $step, $error) = @_;
	my $model = $self->{model};
	my $transaction = $client->{transaction};
	$self->{errors}{"$step->{kind} $error->{C}"}++;
	if (!$self->_is_tolerable($client, $step, $error))
	{
		$self->fail("$error->{C} $error->{M}"
			  . ($error->{D} ? " ($error->{D})" : '')
			  . ($error->{W} ? " [$error->{W}]" : '')
			  . ' in ' . ($transaction ? $transaction->{level} : 'no transaction') . ': '
			  . substr($step->{text}, 0, 1500));
	}
	$model->drop($_) foreach @{ $step->{attempts} // [] };
	delete $self->{prepared}{ $step->{gid} }{finishing} if $step->{kind} eq 'finish';

	if ($client->{wire}{status} eq 'I')
	{
		# the whole transaction is gone, if there was one
		$model->drop($_) foreach @{ $transaction ? $transaction->{attempts} : [] };
		delete $client->{transaction};
		$client->{plan} = [];
	}
	elsif ($step->{kind} ne 'conflict' || !$step->{expect})
	{
		my $marks = $transaction->{marks};
		my @back = @$marks && $client->{rnd}->percent(70)
		  ? ({ kind => 'rollback_to', sql => "ROLLBACK TO $marks->[-1][0]", name => $marks->[-1][0] },
			{ kind => 'commit', sql => 'COMMIT' })
		  : ({ kind => 'rollback', sql => $client->{rnd}->pick('ROLLBACK', 'COMMIT') });
		$client->{plan} = \@back;
	}
	return;
}

sub _is_tolerable
{
	my ($self, $client, $step, $error) = @_;
	my $code = $error->{C};
	my $kind = $step->{kind};
	my $transaction = $client->{transaction};
	my $snapshot_kept = $transaction && $transaction->{level} ne 'READ COMMITTED';
	return $code eq $step->{expect} if $step->{expect} && $kind ne 'prepare';
	return 1 if $step->{expect} && $code eq $step->{expect};
	return 1 if $step->{may} && $code eq $step->{may};
	return 1 if $code eq '40001' && $snapshot_kept;
	# to be voided, an event must be visible
	return 1 if $code eq '42704' && $snapshot_kept && $kind eq 'void';
	# a lock held by whoever tries the same event, sweeps, or defines a rule
	return 1 if $code =~ /^(40P01|55P03)$/ && $kind =~ /^(sweep|rule|vacuum)$/;
	my $contended = grep { $self->{model}->is_contended($_) } @{ $step->{attempts} // [] };
	return 1 if $code =~ /^(40P01|55P03|23505)$/ && $contended;
	return 0;
}

# The connection broke.  What was being committed is unknown; all else is gone.
sub _lost
{
	my ($self, $client, $step) = @_;
	my $model = $self->{model};
	my $transaction = delete $client->{transaction};
	delete $client->{wire};
	$client->{plan} = [];
	if (!$self->{crashing})
	{
		$self->fail('connection lost in: ' . ($step ? substr($step->{text} // '', 0, 1500) : 'no statement'));
	}
	my @kept = $transaction ? @{ $transaction->{attempts} } : ();
	my $kind = $step ? $step->{kind} : '';
	my @tried = $step && $step->{attempts} ? @{ $step->{attempts} } : ();
	if ($transaction)
	{
		$model->drop($_) foreach @tried;
		@tried = ();
	}
	$model->lose($_) foreach @tried;
	if ($kind eq 'prepare')
	{
		# _after_crash looks whether it was prepared
		$self->{prepared}{ $step->{gid} } = { %$transaction, finishing => 'ROLLBACK' };
	}
	else
	{
		my $settle = $kind eq 'commit' ? 'lose' : 'drop';
		$model->$settle($_) foreach @kept;
	}
	return;
}

# --- Crashes ---------------------------------------------------------------

sub _crash
{
	my ($self) = @_;
	my $kind = (qw(worker backend immediate other))[ ($self->{seed} + $self->{crashes}) % 4 ];
	my $wire = $self->_must_connect;
	my $pids = {
		worker => "backend_type LIKE 'aevon%'",
		backend => "application_name = 'torture' AND pid <> pg_backend_pid()",
		other => "backend_type IN ('checkpointer', 'walwriter', 'background writer')" };
	my $pid;
	if ($pids->{$kind})
	{
		# a busy process, if there is one
		my $rows = $wire->must("SELECT pid FROM pg_stat_activity WHERE $pids->{$kind}"
			  . " ORDER BY state IS DISTINCT FROM 'active', random() LIMIT 1");
		$pid = $rows->[0][0];
	}
	$wire->disconnect;
	$self->{crashing} = 1;
	if (defined $pid) { kill 'KILL', $pid; }
	else { $self->{node}->stop('immediate'); }
	$self->{note}->('crash: ' . (defined $pid ? "SIGKILL: $kind" : 'immediate stop'));

	my $give_up = time + 60;
	while (grep { $_->{wire} } @{ $self->{clients} })
	{
		foreach my $client (@{ $self->{clients} })
		{
			my $wire = $client->{wire} or next;
			# an idle session notices nothing until it reads
			next unless IO::Select->new($wire->handle)->can_read(0.05);
			next unless $wire->pump;
			if ($client->{step} && $client->{step}{kind} ne 'wait') { $self->_finish_step($client); }
			elsif ($wire->{dead}) { delete $client->{step}; $self->_lost($client, undef); }
		}
		if (time > $give_up)
		{
			die 'sessions survive a crash';
		}
	}
	delete $_->{step} foreach @{ $self->{clients} };
	$self->{node}->start unless defined $pid;
	$self->_after_crash;
	$self->{crashing} = 0;
	$self->{crashes}++;
	return;
}

# Which transactions are prepared, and which of those we were finishing are.
sub _after_crash
{
	my ($self) = @_;
	my $wire = $self->_must_connect;
	my %there = map { $_->[0] => 1 } @{ $wire->must(
		'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()') };
	$wire->disconnect;
	foreach my $gid (sort keys %{ $self->{prepared} })
	{
		if ($there{$gid}) { delete $self->{prepared}{$gid}{finishing}; }
		elsif ($self->{prepared}{$gid}{finishing}) { $self->_settle_prepared($gid); }
		else { $self->fail("prepared transaction $gid is gone after a crash"); delete $self->{prepared}{$gid}; }
	}
	return;
}

sub _finish_prepared
{
	my ($self) = @_;
	my $wire = $self->_must_connect;
	foreach my $gid (sort keys %{ $self->{prepared} })
	{
		my $how = $self->{prepared}{$gid}{finishing} = $self->{rnd}->pick('COMMIT', 'ROLLBACK');
		$wire->must("$how PREPARED '$gid'");
		$self->_settle_prepared($gid);
	}
	$wire->disconnect;
	return;
}

# --- Quiescent points ------------------------------------------------------

sub _quiesce
{
	my ($self) = @_;
	my $rnd = $self->{rnd};
	$self->_run_clients(undef);
	return if $self->_gave_up;
	my $wire = $self->_must_connect;
	$self->fail("the log: $_") foreach $self->{model}->check_log($wire);
	$self->fail("the worker: $_->[0] $_->[1]") foreach @{ $wire->must(
		'SELECT error_state, error_message FROM aevon.sweeps WHERE error_state IS NOT NULL LIMIT 3') };

	my @cases = $self->_cases($wire);
	foreach my $when ('before a sweep', 'after a bounded sweep', 'after a sweep')
	{
		if ($when ne 'before a sweep')
		{
			my $most = $when =~ /bounded/ ? $rnd->between(1, 300) : 'NULL';
			my $swept = $wire->query("SELECT * FROM aevon_sweep($most)");
			$self->fail("$swept->{error}{C} $swept->{error}{M}, a sweep at a quiescent point")
			  if $swept->{error};
		}
		elsif ($rnd->percent(20))
		{
			my $table = $rnd->pick(qw(buckets_1m buckets_1d series series_counts event_log sweep_checkpoints rules));
			# a prepared transaction may hold the table: only we can end it
			$wire->must("SET lock_timeout = '1s'");
			my $done = $wire->query($rnd->pick('VACUUM FULL', 'REINDEX TABLE', 'VACUUM (FREEZE, ANALYZE)')
				  . " aevon.$table");
			$self->fail("$done->{error}{C} $done->{error}{M}, upkeep at a quiescent point")
			  if $done->{error} && $done->{error}{C} ne '55P03';
			$wire->must('RESET lock_timeout');
		}
		$self->fail("$when: $_") foreach Aevon::Oracle->compare($wire, \@cases);
		$self->fail("$when: $_") foreach Aevon::Oracle->compare_split($wire, $when eq 'after a sweep');
		$self->_recall($wire, $when);
		$self->{comparisons} += @cases + @{ $self->{remembered} };
	}
	# tenants whose combinations are folded together
	my $full = $wire->must('SELECT count(*) FROM aevon.series_counts WHERE series_full')->[0][0];
	$self->{full} = $full if $full > $self->{full};
	$self->_remember($wire) unless $self->_gave_up;
	$self->fail("damaged: $_") foreach _damage($wire);
	$self->{note}->(sprintf 'quiet: %d events, %d comparisons, %d crashes, %d statements, %d prepared',
		scalar keys %{ $self->{model}{events} }, @$self{qw(comparisons crashes statements)},
		scalar keys %{ $self->{prepared} });
	$wire->disconnect;
	return;
}

# Answers of times past that are kept, of so many cases each.
my $REMEMBERED_TIMES = 6;
my $REMEMBERED_CASES = 10;

# Remember what is right now, by the oracle, and the time.  A prepared
# transaction is not seen now, but ingested before now: where one may commit,
# nothing is remembered.
sub _remember
{
	my ($self, $wire) = @_;
	my $rnd = $self->{rnd};
	my %open;
	foreach my $attempt (map { @{ $_->{attempts} } } values %{ $self->{prepared} })
	{
		$open{ $attempt->{tenant} }{ $attempt->{principal} } = 1;
	}
	my @cases;
	foreach (1 .. $REMEMBERED_CASES)
	{
		my $tenant = $rnd->pick(@Aevon::Workload::TENANTS);
		my $case = $self->{workload}->random_case($rnd, $tenant, 'events', 'spend');
		next if defined $case->[1] ? $open{$tenant}{ $case->[1] } : $open{$tenant};
		$case->[6] = undef;
		push @cases, $case;
	}
	return unless @cases;
	my $now = $wire->must('SELECT clock_timestamp()')->[0][0];
	$self->fail("to be remembered: $_") foreach Aevon::Oracle->compare($wire, \@cases);
	my $remembered = $self->{remembered};
	foreach my $case (@cases)
	{
		my $answer = $wire->must(Aevon::Workload::recall_sql($case))->[0][0];
		push @$remembered, { case => [ @$case[0 .. 5], $now, $case->[7] ], answer => $answer };
	}
	shift @$remembered while @$remembered > $REMEMBERED_TIMES * $REMEMBERED_CASES;
	return;
}

sub _recall
{
	my ($self, $wire, $when) = @_;
	foreach my $one (@{ $self->{remembered} })
	{
		my $answer = $wire->must(Aevon::Workload::recall_sql($one->{case}))->[0][0];
		$self->fail("$when: $_") foreach Aevon::Workload::differs($one, $answer);
	}
	return;
}

# What amcheck says of the extension's tables and indexes.
sub _damage
{
	my ($wire) = @_;
	my @found = map { join ' ', map { $_ // '' } @$_ } @{ $wire->must(<<'SQL') };
SELECT c.oid::regclass, d.*
FROM pg_class c CROSS JOIN LATERAL verify_heapam(c.oid) d
WHERE c.relnamespace = 'aevon'::regnamespace AND c.relkind = 'r'
LIMIT 5
SQL
	my $result = $wire->query(<<'SQL');
SELECT bt_index_check(c.oid, true)
FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relnamespace = 'aevon'::regnamespace AND c.relkind = 'i' AND i.indisvalid
SQL
	push @found, $result->{error}{M} if $result->{error};
	return @found;
}

# Cases over every rule that answers, every principal in turn, random ranges, and
# such as begin or end with an event that was voided.
my $VOIDED_CASES = 4;

sub _cases
{
	my ($self, $wire) = @_;
	my $rnd = $self->{rnd};
	my @cases;
	foreach my $tenant (@Aevon::Workload::TENANTS)
	{
		my $t = Aevon::Workload::literal($tenant);
		my @rules = map { $_->[0] } @{ $wire->must(
			"SELECT name FROM oracle.effective WHERE tenant = $t ORDER BY 1") };
		push @cases, map { $self->{workload}->random_case($rnd, $tenant, @rules, undef) }
		  1 .. $self->{cases} / @Aevon::Workload::TENANTS;
		# each principal once, whole and all rules
		push @cases, map { [ $tenant, $_->[0], undef, '-infinity', 'infinity', 'total' ] }
		  @{ $wire->must("SELECT DISTINCT principal FROM oracle.log WHERE tenant = $t
			UNION SELECT NULL UNION SELECT 'never seen' ORDER BY 1") };
		# ranges that end at voided events, as of just before they were voided
		push @cases, map { [ $tenant, $rnd->percent(50) ? $_->[0] : undef, undef, @$_[1, 2], 'total', $_->[3] ] }
		  @{ $wire->must(<<"SQL") };
SELECT principal, occurred_at - before, occurred_at + after, voided_at - interval '1 microsecond'
FROM (SELECT * FROM oracle.judged WHERE tenant = $t AND voided_at IS NOT NULL
	ORDER BY md5(event_id) LIMIT $VOIDED_CASES) v,
	(VALUES (interval '0', interval '3 days'), ('3 days', '1 microsecond')) e (before, after)
SQL
	}
	return @cases;
}

1;
