# What the clients of the model checker do: events, and plans made of steps.
#
# A step is { kind, sql, attempts, check, ... }; a plan is a list of steps that
# one client runs in order.  Each client has random numbers of its own, so the
# seed fixes what it will do, not how the clients interleave.
package Aevon::Workload;

use strict;
use warnings;

use Time::HiRes qw(time);

use Aevon::Oracle;
use Aevon::Random;

our @TENANTS = ('acme', 'b"ig', 'x');
our $DAY = 86_400_000_000;

# Weights of the plans, by a client's role.
our %ROLES = (
	writer => {
		single => 24, several => 8, batch => 14, reject => 4, from => 6,
		conflict => 4, void => 8, transaction => 26, long => 4, sweep => 3,
		sweep_inside => 7, finish => 6, look => 4 },
	sweeper => { sweep => 60, sweep_inside => 25, sweep_back => 15 },
	reader => { look => 72, compare => 20, recall => 8 },
	admin => { rule => 30, vacuum => 30, finish => 20, sweep => 20 });

sub new
{
	my ($class, %option) = @_;
	# model, now (microseconds since 1970), prepared (gid => transaction)
	return bless {%option}, $class;
}

sub literal { return Aevon::Oracle::literal($_[0]); }

# Microseconds since 1970 as text.
sub timestamp
{
	my ($at) = @_;
	use integer;
	my $second = $at / 1_000_000;
	my $rest = $at % 1_000_000;
	if ($rest < 0)
	{
		$rest += 1_000_000;
		$second--;
	}
	my @t = gmtime($second);
	return sprintf '%04d-%02d-%02d %02d:%02d:%02d.%06d+00',
	  $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0], $rest;
}

sub occurred_at
{
	my ($self, $rnd) = @_;
	my $now = $self->{now};
	my $kind = $rnd->weighted({ recent => 50, hot => 12, edge => 9, days => 15,
		ancient => 4, future => 5, none => 5 });
	return undef if $kind eq 'none';
	return $now - $rnd->below(3 * 3_600_000_000) if $kind eq 'recent';
	return $now - $now % 60_000_000 - $rnd->below(3) * 60_000_000 + $rnd->below(60_000_000)
	  if $kind eq 'hot';
	return $now - $rnd->below(40 * $DAY) if $kind eq 'days';
	return $now + $rnd->below(23 * 3_600_000_000) if $kind eq 'future';
	# from the year 1 on
	return -62_135_596_800_000_000 + $rnd->below(63_600_000_000_000_000) if $kind eq 'ancient';
	my $unit = $rnd->pick(60_000_000, 3_600_000_000, $DAY);
	my $edge = $now - $now % $unit - $rnd->below(50) * $unit;
	return $edge + $rnd->between(-1, 1);
}

# JSON of an amount, of all the kinds that must not break a sum.
sub amount
{
	my ($self, $rnd) = @_;
	my $kind = $rnd->weighted({ integer => 30, decimal => 26, negative => 8, missing => 8,
		string => 4, huge => 4, tiny => 3, long => 3, toolong => 4, null => 2, zero => 4,
		other => 4 });
	return $rnd->below(1000) if $kind eq 'integer';
	return $rnd->below(100000) . '.' . $rnd->below(1000000) if $kind eq 'decimal';
	return '-' . $rnd->between(1, 99999) . $rnd->pick('', '.50', '.' . $rnd->below(1000000000))
	  if $kind eq 'negative';
	return undef if $kind eq 'missing';
	return $rnd->pick('"12"', '"NaN"', '""', '"twelve"', '"1e400000"') if $kind eq 'string';
	return $rnd->pick('', '-') . $rnd->between(1, 9) . $rnd->pick('e300', 'e307', 'e40', 'e120.0') =~ s/\.0//r
	  if $kind eq 'huge';
	return $rnd->between(1, 9) . $rnd->pick('e-300', 'e-308', 'e-40', 'e-20') if $kind eq 'tiny';
	return $rnd->between(1, 9) . ('0123456789' x $rnd->between(1, 12)) . '.'
	  . ('9876543210' x $rnd->between(1, 12)) . '1' if $kind eq 'long';
	return $rnd->pick('1e308', '-5e309', '1e-309', '7e4000', '3e-2000', '9' x 309,
		'1e131071', '1e-16383', '0.' . ('0' x 308) . '1') if $kind eq 'toolong';
	return 'null' if $kind eq 'null';
	return $rnd->pick('0', '0.00', '-0', '100.000', '1e2', '10', '10.0') if $kind eq 'zero';
	return $rnd->pick('true', '[1, 2]', '{"amount": 3}', '[]');
}

sub data
{
	my ($self, $rnd) = @_;
	my @field;
	my $amount = $self->amount($rnd);
	push @field, "\"amount\": $amount" if defined $amount;
	push @field, '"plan": ' . $rnd->pick('"pro"', '"free"', 'null') if $rnd->percent(70);
	push @field, '"flag": ' . $rnd->pick('true', 'true', 'false', 'null', '"yes"', '1')
	  if $rnd->percent(60);
	push @field, '"a": ' . $rnd->pick('{"b": ' . $rnd->below(100) . '.5}', '{}', '3', '{"b": "x"}',
		'{"b": -' . $rnd->below(9) . '}') if $rnd->percent(50);
	push @field, '"items": [' . join(', ', map { '{"n": ' . $rnd->below(4) . '}' } 0 .. $rnd->below(3))
	  . ']' if $rnd->percent(40);
	push @field, '"pad": "' . ('x' x $rnd->below(3000)) . '"' if $rnd->percent(1);
	return '{' . join(', ', @field) . '}';
}

sub random_event
{
	my ($self, $rnd) = @_;
	my $at = $self->occurred_at($rnd);
	return {
		# skewed; now and then a principal nobody has seen yet
		principal => $rnd->percent(96) ? 'p' . int(sqrt($rnd->below(100))) : 'new ' . $rnd->below(60),
		tenant => $rnd->pick(@TENANTS, $TENANTS[0]),
		event_type => $rnd->pick('order', 'order', 'click', 'view'),
		occurred_at => defined $at ? timestamp($at) : undef,
		data => $self->data($rnd) };
}

# An attempt: mostly a fresh event, else a repeated one, or one of those that
# all clients try (whose content depends on its number alone, but for a few).
sub attempt
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my $history = $client->{history};
	if (@$history && $rnd->percent(8))
	{
		return { %{ $rnd->pick(@$history) }, fresh => 0 };
	}
	if ($rnd->percent(6))
	{
		my $number = int($client->{made} / 40) * 10 + $rnd->below(10);
		my $event = $self->random_event(Aevon::Random->new($number));
		$event->{event_id} = "shared-$number";
		$event->{data} = '{"amount": 77}' if $rnd->percent(8);
		return { %$event, fresh => 0 };
	}
	my $event = $self->random_event($rnd);
	$event->{event_id} = "c$client->{id}-" . $client->{made}++;
	push @$history, $event;
	shift @$history if @$history > 500;
	return { %$event, fresh => 1 };
}

sub attempts
{
	my ($self, $client, $most, $tenant) = @_;
	my @attempts = map { $self->attempt($client) } 1 .. $client->{rnd}->between(1, $most);
	@attempts = grep { $_->{tenant} eq $tenant } @attempts if defined $tenant;
	return @attempts;
}

# --- Steps -----------------------------------------------------------------

sub single_sql
{
	my ($a) = @_;
	return 'aevon_ingest(' . join(', ', map { literal($_) } @$a{qw(tenant principal event_id event_type)})
	  . ', ' . literal($a->{occurred_at}) . ', ' . literal($a->{data}) . ')';
}

# One statement that ingests several events one by one.
sub several_step
{
	my ($self, $client, @attempts) = @_;
	return {
		kind => 'ingest', attempts => \@attempts,
		sql => 'SELECT ' . join(', ', map { single_sql($_) } @attempts),
		check => sub {
			my ($checker, $step, $result) = @_;
			for my $i (0 .. $#attempts)
			{
				my $answer = $result->{rows}[0][$i];
				my $a = $attempts[$i];
				$checker->fail("fresh event answered \"$answer\": $a->{event_id}")
				  if $a->{fresh} && $answer ne 'accepted';
				$checker->fail("stored event answered \"$answer\": $a->{event_id}")
				  if $a->{was_stored} && $answer ne 'duplicate';
			}
		} };
}

sub check_counts
{
	my ($checker, $attempts, $row, $rejected) = @_;
	my ($accepted, $duplicate, $refused) = @$row;
	my $n = @$attempts;
	my $fresh = grep { $_->{fresh} } @$attempts;
	my $stored = grep { $_->{was_stored} } @$attempts;
	$checker->fail("batch of $n events and $rejected bad ones: $accepted accepted, $duplicate duplicate, $refused rejected"
		  . " ($fresh fresh, $stored stored before)")
	  if $accepted + $duplicate != $n || $refused != $rejected
	  || $accepted < $fresh || $duplicate < $stored;
	return;
}

sub event_json
{
	my ($a) = @_;
	my @field = map { "\"$_\": " . json_string($a->{$_}) }
	  grep { defined $a->{$_} } qw(principal event_id event_type occurred_at);
	return '{' . join(', ', @field, "\"data\": $a->{data}") . '}';
}

sub json_string
{
	my ($text) = @_;
	$text =~ s/(["\\])/\\$1/g;
	return "\"$text\"";
}

sub batch_step
{
	my ($self, $client, $on_error, $most) = @_;
	my $rnd = $client->{rnd};
	my $tenant = $rnd->pick(@TENANTS);
	my @attempts = $self->attempts($client, $most, $tenant);
	my @texts = map { event_json($_) } @attempts;
	my $bad = 0;
	if ($on_error eq 'reject')
	{
		foreach my $text ('{"principal": "p1", "event_type": "order"}', '7',
			'{"principal": "", "event_id": "bad", "event_type": "order"}',
			'{"principal": "p1", "event_id": "bad", "event_type": "order", "data": 5}',
			'{"principal": "p1", "event_id": "bad", "event_type": "order", "occurred_at": "2999-01-01"}')
		{
			next unless $rnd->percent(40);
			splice @texts, $rnd->below(@texts + 1), 0, $text;
			$bad++;
		}
		# a conflict would be rejected too: only events sure to fit
		if (grep { !$_->{fresh} } @attempts)
		{
			return $self->batch_step($client, 'abort', $most);
		}
	}
	return {
		kind => 'ingest', attempts => \@attempts,
		sql => 'SELECT * FROM aevon_ingest_batch(' . literal($tenant) . ', '
		  . literal('[' . join(', ', @texts) . ']') . ', ' . literal($on_error) . ')',
		check => sub {
			my ($checker, $step, $result) = @_;
			check_counts($checker, \@attempts, $result->{rows}[0], $bad);
		} };
}

# Each client has a staging table of its own.
sub from_step
{
	my ($self, $client) = @_;
	my @attempts = $self->attempts($client, 40);
	my $table = "model.stage_$client->{id}";
	return {
		kind => 'ingest', attempts => \@attempts,
		sql => "INSERT INTO $table VALUES "
		  . join(', ', map { my $a = $_; '(' . join(', ', map { literal($a->{$_}) }
				qw(tenant principal event_id event_type occurred_at data)) . ')' } @attempts)
		  . "; SELECT * FROM aevon_ingest_from('$table'); DELETE FROM $table",
		check => sub {
			my ($checker, $step, $result) = @_;
			check_counts($checker, \@attempts, $result->{rows}[0], 0);
		} };
}

# Void events of one's own that are surely stored, voided ones among them; undef
# if there is none yet.
sub void_step
{
	my ($self, $client, $most) = @_;
	my $model = $self->{model};
	my $rnd = $client->{rnd};
	my @stored = grep { $model->is_stored($_) } @{ $client->{history} };
	return undef unless @stored;
	my %chosen = map { Aevon::Model::key($_) => $_ } map { $rnd->pick(@stored) } 1 .. $rnd->between(1, $most);
	my @attempts = map { { %{ $chosen{$_} }, void => 1, fresh => 0 } } sort keys %chosen;
	my @tried;
	return {
		kind => 'void', attempts => \@attempts,
		sql => sub {
			@tried = map { $model->event($_)->{tried} } @attempts;
			return 'SELECT ' . join(', ', map {
				'aevon_void(' . join(', ', map { literal($_) } @$_{qw(tenant principal event_id)})
				  . ", 'a test')" } @attempts);
		},
		check => sub {
			my ($checker, $step, $result) = @_;
			for my $i (0 .. $#attempts)
			{
				my $answer = $result->{rows}[0][$i];
				my $a = $attempts[$i];
				$checker->fail("first void answered \"$answer\": $a->{event_id}")
				  if $tried[$i] == 1 && $answer ne 'voided';
				$checker->fail("void of a void event answered \"$answer\": $a->{event_id}")
				  if $a->{was_stored} && $answer ne 'duplicate';
			}
		} };
}

sub some_ingest
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my $kind = $rnd->weighted({ several => 60, batch => 25, from => 10, void => 12 });
	my $void = $kind eq 'void' && $self->void_step($client, 3);
	return $void if $void;
	return $self->several_step($client, $self->attempts($client, 4)) if $kind eq 'several';
	return $self->batch_step($client, 'abort', 30) if $kind eq 'batch';
	return $self->from_step($client);
}

sub sweep_step
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my $most = $rnd->pick('', '', $rnd->between(1, 20), $rnd->between(20, 2000));
	return { kind => 'sweep', sql => "SELECT * FROM aevon_sweep($most)" };
}

sub wait_step
{
	my ($self, $client, $most) = @_;
	return { kind => 'wait', seconds => $client->{rnd}->below(1000) * $most / 1000 };
}

sub begin_step
{
	my ($self, $client) = @_;
	my $level = $client->{rnd}->weighted({
		'READ COMMITTED' => 60, 'REPEATABLE READ' => 25, 'SERIALIZABLE' => 15 });
	return { kind => 'begin', sql => "BEGIN ISOLATION LEVEL $level", level => $level };
}

# Counts of a tenant, in one statement: the whole by state, by hours, as the
# sum over its principals, and of some principals.  Checks that they agree,
# and each against what was acknowledged and what was seen before.
sub look_step
{
	my ($self, $client) = @_;
	my $model = $self->{model};
	my $rnd = $client->{rnd};
	my $tenant = $rnd->pick(@TENANTS);
	my @subjects = map { 'p' . int(sqrt($rnd->below(100))) } 1 .. 3;
	my $t = literal($tenant);
	my $least;
	return {
		kind => 'look',
		sql => sub {
			$least = { map { $_ => $model->at_least($tenant, length $_ ? $_ : undef) } '', @subjects };
			return "SELECT model.counted($t, NULL), model.counted_by_hour($t),"
			  . " (SELECT sum(model.counted($t, p.principal)) FROM aevon.principals p"
			  . " JOIN aevon.tenants t USING (tenant_key) WHERE t.tenant = $t), "
			  . join(', ', map { "model.counted($t, '$_')" } @subjects);
		},
		check => sub {
			my ($checker, $step, $result) = @_;
			my ($whole, $hours, $principals, @counts) = @{ $result->{rows}[0] };
			$checker->fail("one statement: whole tenant $tenant has $whole events, by hours $hours, by principals $principals")
			  if $whole != $hours || $whole != $principals;
			my $transaction = $client->{transaction};
			my $fixed = $transaction && $transaction->{level} ne 'READ COMMITTED';
			unshift @counts, $whole;
			foreach my $subject ('', @subjects)
			{
				my $count = shift @counts;
				my $principal = length $subject ? $subject : undef;
				my $own = own_count($transaction, $tenant, $principal);
				my $low = $fixed ? $own
				  : $least->{$subject} + $own - $model->voids_tried($tenant, $principal);
				my $high = $model->at_most($tenant, $principal);
				$checker->fail("tenant $tenant, principal " . ($principal // 'NULL')
					  . ": counted $count, which is not between $low and $high")
				  if $count < $low || $count > $high;
				$model->saw($tenant, $principal, $count) unless $transaction;
			}
		} };
}

# Events that a transaction has ingested itself, surely new.
sub own_count
{
	my ($transaction, $tenant, $principal) = @_;
	return 0 unless $transaction;
	return scalar grep { $_->{fresh} && $_->{tenant} eq $tenant
		  && (!defined $principal || $_->{principal} eq $principal) }
	  @{ $transaction->{attempts} };
}

# --- Plans -----------------------------------------------------------------

sub plan
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my $name = "plan_" . $rnd->weighted($ROLES{ $client->{role} });
	return $self->$name($client);
}

sub plan_single { my ($self, $c) = @_; return $self->several_step($c, $self->attempt($c)); }
sub plan_several { my ($self, $c) = @_; return $self->several_step($c, $self->attempts($c, 8)); }
sub plan_batch { my ($self, $c) = @_; return $self->batch_step($c, 'abort', $c->{rnd}->percent(4) ? 300 : 40); }
sub plan_reject { my ($self, $c) = @_; return $self->batch_step($c, 'reject', 20); }
sub plan_from { my ($self, $c) = @_; return $self->from_step($c); }
sub plan_sweep { my ($self, $c) = @_; return $self->sweep_step($c); }
sub plan_look { my ($self, $c) = @_; return $self->look_step($c); }

# Other content for an event that is surely stored: 23505, and nothing else.
sub plan_conflict
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my @stored = grep { $self->{model}->is_stored($_) } @{ $client->{history} };
	return $self->plan_single($client) unless @stored;
	my %other = %{ $rnd->pick(@stored) };
	if ($rnd->percent(50)) { $other{data} = '{"amount": 123456}'; }
	else { $other{event_type} = 'conflicting'; }
	my $step = {
		kind => 'conflict', attempts => [], expect => '23505',
		sql => 'SELECT ' . single_sql(\%other) };
	return $step if $rnd->percent(50);
	return (
		{ kind => 'begin', sql => 'BEGIN', level => 'READ COMMITTED' },
		$self->several_step($client, $self->attempt($client)),
		{ kind => 'savepoint', sql => 'SAVEPOINT a', name => 'a' },
		$step,
		{ kind => 'rollback_to', sql => 'ROLLBACK TO a', name => 'a' },
		$self->end_steps($client));
}

# Void some, by themselves or with a sweep beside.
sub plan_void
{
	my ($self, $client) = @_;
	my $void = $self->void_step($client, 6) // return $self->plan_single($client);
	return $void if $client->{rnd}->percent(60);
	return ($self->begin_step($client), $void, $self->sweep_step($client), $self->look_step($client),
		$client->{rnd}->percent(70) ? { kind => 'commit', sql => 'COMMIT' } : { kind => 'rollback', sql => 'ROLLBACK' });
}

# How a transaction ends.
sub end_steps
{
	my ($self, $client) = @_;
	my $how = $client->{rnd}->weighted({ commit => 68, rollback => 20, prepare => 12 });
	return { kind => 'commit', sql => 'COMMIT' } if $how eq 'commit';
	return { kind => 'rollback', sql => 'ROLLBACK' } if $how eq 'rollback';
	my $gid = "g$client->{id}-" . $client->{prepared}++;
	return { kind => 'prepare', sql => "PREPARE TRANSACTION '$gid'", gid => $gid };
}

sub plan_transaction
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my @plan = ($self->begin_step($client));
	my $depth = 0;
	for (1 .. $rnd->between(1, 5))
	{
		my $what = $rnd->weighted({ ingest => 60, savepoint => 14, back => 8, release => 6,
			look => 6, wait => 6 });
		if ($what eq 'savepoint')
		{
			$depth++;
			push @plan, { kind => 'savepoint', sql => "SAVEPOINT s$depth", name => "s$depth" };
			push @plan, $self->some_ingest($client);
		}
		elsif ($what eq 'back' && $depth)
		{
			push @plan, { kind => 'rollback_to', sql => "ROLLBACK TO s$depth", name => "s$depth" };
		}
		elsif ($what eq 'release' && $depth)
		{
			push @plan, { kind => 'release', sql => "RELEASE s$depth", name => "s$depth" };
			$depth--;
		}
		elsif ($what eq 'look') { push @plan, $self->look_step($client); }
		elsif ($what eq 'wait') { push @plan, $self->wait_step($client, 0.2); }
		else { push @plan, $self->some_ingest($client); }
	}
	return (@plan, $self->end_steps($client));
}

# A transaction that stays open across other clients' sweeps.
sub plan_long
{
	my ($self, $client) = @_;
	return ($self->begin_step($client), $self->some_ingest($client), $self->wait_step($client, 2),
		$self->some_ingest($client), $self->wait_step($client, 1), $self->end_steps($client));
}

# A transaction that sweeps, and ingests before and after.
sub plan_sweep_inside
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my @plan = ($self->begin_step($client));
	push @plan, $self->some_ingest($client) if $rnd->percent(70);
	push @plan, $self->wait_step($client, 0.1) if $rnd->percent(40);
	push @plan, $self->sweep_step($client);
	push @plan, $self->look_step($client) if $rnd->percent(30);
	push @plan, $self->some_ingest($client) if $rnd->percent(70);
	push @plan, $self->sweep_step($client) if $rnd->percent(15);
	push @plan, $self->look_step($client) if $rnd->percent(20);
	my @end = $self->end_steps($client);
	$end[0]{expect} = '55000' if $end[0]{kind} eq 'prepare';
	return (@plan, @end);
}

# A sweep that is rolled back, whole or to a savepoint.
sub plan_sweep_back
{
	my ($self, $client) = @_;
	return ({ kind => 'begin', sql => 'BEGIN', level => 'READ COMMITTED' },
		$self->sweep_step($client), { kind => 'rollback', sql => 'ROLLBACK' })
	  if $client->{rnd}->percent(50);
	return ({ kind => 'begin', sql => 'BEGIN', level => 'READ COMMITTED' },
		{ kind => 'savepoint', sql => 'SAVEPOINT a', name => 'a' },
		$self->sweep_step($client),
		{ kind => 'rollback_to', sql => 'ROLLBACK TO a', name => 'a' },
		$self->some_ingest($client),
		{ kind => 'commit', sql => 'COMMIT' });
}

# Commit or roll back a prepared transaction.
sub plan_finish
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my @gids = grep { !$self->{prepared}{$_}{finishing} } sort keys %{ $self->{prepared} };
	return $self->wait_step($client, 0.1) unless @gids;
	my $gid = $rnd->pick(@gids);
	$self->{prepared}{$gid}{finishing} = $rnd->percent(70) ? 'COMMIT' : 'ROLLBACK';
	return { kind => 'finish', gid => $gid,
		sql => "$self->{prepared}{$gid}{finishing} PREPARED '$gid'" };
}

sub plan_vacuum
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my $table = $rnd->pick(qw(event_log buckets_1m buckets_1d sweep_checkpoints series
		  principals rules generation installation));
	return ({ kind => 'vacuum', sql => $rnd->pick('VACUUM ', 'VACUUM FREEZE ', 'ANALYZE ') . "aevon.$table" },
		$self->wait_step($client, 0.3));
}

sub plan_rule
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my $name = literal('r' . $rnd->between(1, 5));
	my $tenant = literal($rnd->percent(70) ? undef : $rnd->pick(@TENANTS));
	my $step;
	if ($rnd->percent(25))
	{
		$step = { kind => 'rule', may => '42704', sql => "SELECT aevon_drop_rule($name, $tenant)" };
	}
	else
	{
		my ($type, $value, $filter) = @{ $rnd->pick(@Aevon::Oracle::SHAPES) };
		my @operators = grep { $rnd->percent(50) } qw(last avg max sum count min p95 distinct p50);
		@operators = ('sum') unless @operators;
		$step = { kind => 'rule', sql => "SELECT aevon_define_rule($name, " . literal($type)
			  . ", '{" . join(',', @operators) . "}', " . literal($value) . ', ' . literal($filter)
			  . ", tenant => $tenant)" };
	}
	my @wait = $self->wait_step($client, 0.5);
	return ($step, @wait) if $rnd->percent(70);
	return ({ kind => 'begin', sql => 'BEGIN', level => 'READ COMMITTED' }, $step,
		$rnd->percent(50) ? $self->sweep_step($client) : (),
		@wait, $rnd->percent(60) ? { kind => 'rollback', sql => 'ROLLBACK' } : { kind => 'commit', sql => 'COMMIT' });
}

# A range [since, until) as two texts, mostly unaligned.
sub range
{
	my ($self, $rnd, $granularity) = @_;
	return ('-infinity', 'infinity') if $rnd->percent($granularity eq 'total' ? 15 : 4);
	my %longest = (total => 60 * $DAY, '1mo' => 400 * $DAY, '1w' => 100 * $DAY, '1d' => 60 * $DAY,
		'90m' => 6 * $DAY, '1h' => 6 * $DAY, '15m' => 2 * $DAY, '1m' => $DAY / 6);
	my $length = 1 + $rnd->below($rnd->percent(50) ? $longest{$granularity} : $longest{$granularity} / 60);
	my $since = $self->{now} + $rnd->pick($DAY / 24, $DAY) - $rnd->below($rnd->pick($DAY / 8, $DAY, 40 * $DAY));
	$since = -62_135_596_800_000_000 + $rnd->below(63_600_000_000_000_000) if $rnd->percent(4);
	my $until = $since + $length;
	if ($rnd->percent(25))
	{
		my $unit = $rnd->pick(60_000_000, 3_600_000_000, $DAY);
		$since -= $since % $unit if $rnd->percent(70);
		$until += $unit - $until % $unit if $rnd->percent(70);
	}
	return ($rnd->percent(4) ? '-infinity' : timestamp($since), timestamp($until)) if $rnd->percent(8);
	return (timestamp($since), $rnd->percent(4) ? 'infinity' : timestamp($until));
}

# Some time since the workload began, as text.
sub past
{
	my ($self, $rnd) = @_;
	my $passed = int(time * 1_000_000) - $self->{now};
	return timestamp($self->{now} + $rnd->below($passed > 0 ? $passed : 1));
}

# A case to compare, for the tenant: what Aevon::Oracle's cases are made of.
sub random_case
{
	my ($self, $rnd, $tenant, @rules) = @_;
	my $granularity = $rnd->pick(qw(total total 1m 15m 1h 90m 1d 1w 1mo));
	my $zone = $rnd->pick(qw(UTC UTC Europe/London America/New_York Asia/Kathmandu Australia/Lord_Howe));
	return [ $tenant,
		$rnd->percent(30) ? undef : $rnd->percent(96) ? 'p' . int(sqrt($rnd->below(100))) : 'new ' . $rnd->below(60),
		$rnd->pick(@rules), $self->range($rnd, $granularity), $granularity,
		$rnd->percent(30) ? $self->past($rnd) : undef, $zone ];
}

# While everything runs: what was remembered at a quiescent point is still the
# answer as of then.
sub plan_recall
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my $remembered = $self->{remembered};
	return $self->plan_look($client) unless $remembered && @$remembered;
	my $one = $rnd->pick(@$remembered);
	return {
		kind => 'compare', cases => 1, sql => recall_sql($one->{case}),
		check => sub {
			my ($checker, $step, $result) = @_;
			$checker->fail("under load: $_") foreach differs($one, $result->{rows}[0][0]);
		} };
}

# The whole answer of a case in one text.
sub recall_sql
{
	my ($case) = @_;
	my $arguments = join ', ', map({ literal($_) } @$case[0 .. 6]),
	  'timezone => ' . literal($case->[7] // 'UTC');
	return "SELECT coalesce(string_agg(w::text, ' ' ORDER BY w.rule, w.window_start), '')"
	  . " FROM aevon_windows($arguments) w";
}

# A text about it if the answer is not what was remembered.
sub differs
{
	my ($one, $answer) = @_;
	return () if $answer eq $one->{answer};
	return sprintf 'as of then, %s was %.300s and is %.300s',
	  join(', ', map { $_ // 'NULL' } @{ $one->{case} }), $one->{answer}, $answer;
}

# While everything runs: one statement's snapshot compared with its own
# recount; or a transaction's, twice.
sub plan_compare
{
	my ($self, $client) = @_;
	my $rnd = $client->{rnd};
	my $tenant = $rnd->pick(@TENANTS);
	my $compare = sub {
		my @cases = map { $self->random_case($rnd, $tenant, undef, 'events', 'spend') } 1 .. 6;
		return {
			kind => 'compare', cases => scalar @cases,
			sql => Aevon::Oracle->comparison_sql(\@cases),
			check => sub {
				my ($checker, $step, $result) = @_;
				$checker->fail("in a snapshot under load: $_->[0]") foreach @{ $result->{rows} };
			} };
	};
	return $compare->() if $rnd->percent(50);
	my $level = $rnd->pick('REPEATABLE READ', 'REPEATABLE READ', 'SERIALIZABLE');
	return ({ kind => 'begin', sql => "BEGIN ISOLATION LEVEL $level", level => $level },
		$compare->(), $self->wait_step($client, 0.4), $compare->(),
		{ kind => 'commit', sql => 'COMMIT' });
}

1;
