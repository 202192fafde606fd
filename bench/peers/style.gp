# What the charts share.  `data` is the file of figures; the output is set.
set terminal pngcairo noenhanced size 900,420 font "Sans,11"
set style data histograms
set style histogram clustered gap 1.2
set style fill solid 0.9 noborder
set boxwidth 0.9
set grid ytics lc rgb "#dddddd"
set border 3 lc rgb "#666666"
set tics nomirror textcolor rgb "#333333"
set key outside bottom center horizontal samplen 1 width -2 maxrows 1
set lmargin 12
set bmargin 6
set yrange [0:*]
own = "#c2410c"
first = "#475569"
second = "#94a3b8"
third = "#cbd5e1"
