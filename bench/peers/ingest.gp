set title "Single-row ingest, events a second (higher is better)"
set xlabel "clients, synchronous_commit"
set format y "%.0f"
label(s) = sprintf("%s, %s", s[1:strstrt(s, ".") - 1], s[strstrt(s, ".") + 1:])
plot data using 2:xtic(label(stringcolumn(1))) title "Aevon" lc rgb own, \
	"" using 3 title "the ancestor, bare statement" lc rgb first, \
	"" using 4 title "no index" lc rgb second
