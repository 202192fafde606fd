set title "State of a heavy principal, inside the server, microseconds (lower is better; log scale)"
set logscale y
set yrange [1:*]
set xlabel "range, unaligned, tail of 100 events"
plot data using 2:xtic(1) title "Aevon (four rules, exact)" lc rgb own, \
	"" using 3 title "ancestor's 1m buckets" lc rgb first, \
	"" using 4 title "materialized view" lc rgb second, \
	"" using 5 title "on the fly, best index" lc rgb third
