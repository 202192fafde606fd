set title "Answers a second (higher is better)"
set format y "%.0f"
set xlabel "clients"
plot data using 2:xtic(1) title "Redis GET of the finished answer" lc rgb second, \
	"" using 3 title "SELECT 1" lc rgb third, \
	"" using 4 title "aevon_state, all time" lc rgb own, \
	"" using 5 title "aevon_state, 30 days unaligned" lc rgb "#ea9a6c"
