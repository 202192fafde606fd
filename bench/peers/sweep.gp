set title "Roll-up of new events, events a second (higher is better)"
set format y "%.0f"
label(s) = system(sprintf("echo '%s' | tr _ ' '", s))
plot data using 2:xtic(label(stringcolumn(1))) title "Aevon" lc rgb own, \
	"" using 3 title "best set-based SQL" lc rgb first, \
	"" using 4 title "the ancestor" lc rgb second
