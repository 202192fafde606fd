set title "Bytes per event (lower is better)"
label(s) = s eq "log" ? "log, keys and indexes" : "buckets and indexes"
plot data using 2:xtic(label(stringcolumn(1))) title "Aevon" lc rgb own, \
	"" using 3 title "the ancestor" lc rgb first
