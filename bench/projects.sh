#!/bin/bash
# The roll-up questions of a project tool (docs/time-entries.md) at 1,000, 20,000
# and 100,000 time entries a project: Aevon beside SQL on the fly over a table
# with the best index, in one run.  Every answer is first compared with that SQL.
# Settings: BENCH_SIZES ("1000 20000 100000"), BENCH_SECONDS (4), BENCH_CALLS
# (200), BENCH_CLIENTS (100).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/bench.sh

sizes=${BENCH_SIZES:-1000 20000 100000}
seconds=${BENCH_SECONDS:-4}
calls=${BENCH_CALLS:-200}
clients=${BENCH_CLIENTS:-100}

questions=(total member task month)

title_of() {
	case $1 in
	total) echo "hours of the project, billable" ;;
	member) echo "hours by member" ;;
	task) echo "hours by task and billable" ;;
	month) echo "hours by member, one month" ;;
	esac
}

# statement SYSTEM QUESTION PROJECT: columns key and hours
statement() {
	local own="FROM aevon_windows('org', '$3', 'hours'"
	local fly="FROM projects.entries WHERE project = '$3'"
	local month="day >= '2024-05-01' AND day < '2024-06-01'"

	case $1:$2 in
	aevon:total) echo "SELECT '' AS key, value AS hours $own, dims => '{\"billable\": true}')" ;;
	fly:total) echo "SELECT '' AS key, sum(hours) AS hours $fly AND billable" ;;
	aevon:member) echo "SELECT dims ->> 'member' AS key, value AS hours $own, group_by => '{member}')" ;;
	fly:member) echo "SELECT member AS key, sum(hours) AS hours $fly GROUP BY 1" ;;
	aevon:task) echo "SELECT (dims ->> 'task') || (dims ->> 'billable') AS key, value AS hours $own, group_by => '{task,billable}')" ;;
	fly:task) echo "SELECT task || billable::text AS key, sum(hours) AS hours $fly GROUP BY task, billable" ;;
	aevon:month) echo "SELECT dims ->> 'member' AS key, value AS hours $own, '2024-05-01', '2024-06-01', group_by => '{member}')" ;;
	fly:month) echo "SELECT member AS key, sum(hours) AS hours $fly AND $month GROUP BY 1" ;;
	esac
}

fill() {
	local size

	for size in $sizes; do
		sql -c "SELECT setseed(0.5)" -c "
			CREATE TABLE projects.staging AS
			SELECT 'project-$size' AS principal, 'entry-' || i AS event_id, 'time_entry'::text AS event_type,
				'2024-01-01'::timestamptz + i::float8 / $size * interval '366 days' AS occurred_at,
				jsonb_build_object('member', 'member-' || floor(20 * random() ^ 2)::integer,
					'task', 'task-' || floor(10 * random())::integer, 'billable', random() < 0.7,
					'hours', (1 + floor(random() * 32)) / 4) AS data
			FROM generate_series(0, $size - 1) i" \
			-c "SELECT * FROM aevon_ingest_from('projects.staging', tenant => 'org')" \
			-c "INSERT INTO projects.entries SELECT principal, data ->> 'member', data ->> 'task', (data ->> 'billable')::boolean,
				occurred_at::date, (data ->> 'hours')::numeric FROM projects.staging" \
			-c "DROP TABLE projects.staging" >/dev/null
	done
	sql -c "SELECT event_count FROM aevon_sweep()" >/dev/null
	# corrected entries: a void, and a new one
	for size in $sizes; do
		sql -c "SELECT aevon_void('org', 'project-$size', 'entry-7', 'wrong hours')" \
			-c "SELECT aevon_ingest('org', 'project-$size', 'entry-7b', 'time_entry', e.occurred_at, e.data || '{\"hours\": 1.5}')
				FROM aevon_events('org', 'project-$size') e WHERE e.event_id = 'entry-7'" \
			-c "UPDATE projects.entries SET hours = 1.5 WHERE ctid = (SELECT ctid FROM projects.entries WHERE project = 'project-$size' OFFSET 7 LIMIT 1)" >/dev/null
	done
	sql -c "CREATE INDEX ON projects.entries (project, day)" -c "VACUUM ANALYZE" -c "CHECKPOINT"
}

check() {
	local question=$1 project=$2

	if [ "$(sql -c "SELECT count(*) FROM (SELECT key, hours FROM ($(statement aevon "$question" "$project")) a FULL JOIN ($(statement fly "$question" "$project")) f USING (key, hours) WHERE a.key IS NULL OR f.key IS NULL) d")" != 0 ]; then
		fail "the answer to $question of $project is not what SQL on the fly says"
	fi
}

inside() {
	sql -c "SELECT timing.median_ms(\$q\$$(statement "$1" "$2" "$3")\$q\$, $calls)"
}

bench_results results-projects
bench_start work_mem=64MB
bench_timer
sql <<-'EOS'
	CREATE SCHEMA projects;
	CREATE TABLE projects.entries (project text COLLATE "C", member text COLLATE "C", task text COLLATE "C",
		billable boolean, day date, hours numeric);
	SELECT aevon_define_rule('hours', 'time_entry', '{sum,count}', value => 'hours', tenant => 'org',
		dimensions => '{"member": "$.member", "task": "$.task", "billable": "$.billable"}', rollups => '{member}');
EOS
fill
report "# Roll-ups of time entries" "" \
	"By \`BENCH_ONLY=projects make bench\` (\`bench/projects.sh\`), $(machine) 20 members, 10 tasks, billable or not, over a year;" \
	"one entry of each project is voided and entered anew, unswept. The same questions on a table with an index on (project, day)." \
	"" "| entries | question | inside the server, ms: Aevon | SQL on the fly | ratio | $clients clients, p50 ms: Aevon | SQL on the fly |" "|--:|---|--:|--:|--:|--:|--:|"
for size in $sizes; do
	for question in "${questions[@]}"; do
		check "$question" "project-$size"
		own=$(inside aevon "$question" "project-$size")
		fly=$(inside fly "$question" "project-$size")
		report "| $size | $(title_of "$question") | $own | $fly | $(calc %.1f "$fly / $own") | $(calc %.1f "$(statement aevon "$question" "project-$size" | at_clients "$clients" | cut -d " " -f 1)") | $(calc %.1f "$(statement fly "$question" "project-$size" | at_clients "$clients" | cut -d " " -f 1)") |"
	done
done
cluster_stop
