# plot.awk - two log-log plots, side by side, as SVG. Reads lines of "contender x instructions" from
# two files: over the number of rules, over the number of devices.
#
#   awk -f plot.awk plot-rules plot-devices >benchmarks.svg

FNR == 1 { panel++ }

{
    n = ++points[panel, $1]
    x[panel, $1, n] = $2
    y[panel, $1, n] = $3
    if (!(panel in left) || $2 < left[panel]) left[panel] = $2
    if (!(panel in right) || $2 > right[panel]) right[panel] = $2
    if (!(panel in low) || $3 < low[panel]) low[panel] = $3
    if (!(panel in high) || $3 > high[panel]) high[panel] = $3
}

function log10(value) { return log(value) / log(10) }
function floor(value) { return int(value) > value ? int(value) - 1 : int(value) }
function ceiling(value) { return -floor(-value) }

# 1000000 as 1,000,000
function commas(value,    text) {
    text = sprintf("%d", value)
    while (match(text, /[0-9][0-9][0-9][0-9]($|,)/))
        text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
    return text
}

function scale(panel) {
    x0[panel] = floor(log10(left[panel]) + 0.001)
    x1[panel] = ceiling(log10(right[panel]) - 0.001)
    if (x1[panel] == x0[panel]) x1[panel]++
    y0[panel] = floor(log10(low[panel]) + 0.001)
    y1[panel] = ceiling(log10(high[panel]) - 0.001)
}

function at_x(panel, value) {
    return origin[panel] + width * (log10(value) - x0[panel]) / (x1[panel] - x0[panel])
}

function at_y(panel, value) {
    return bottom - height * (log10(value) - y0[panel]) / (y1[panel] - y0[panel])
}

function text(at_left, at_top, anchor, what) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", at_left, at_top, anchor, what
}

function line(from_x, from_y, to_x, to_y, color) {
    printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n",
        from_x, from_y, to_x, to_y, color
}

function grid(panel, title, below,    i, at) {
    for (i = y0[panel]; i <= y1[panel]; i++) {
        at = at_y(panel, 10 ^ i)
        line(origin[panel], at, origin[panel] + width, at, i == y0[panel] ? "#444" : "#ddd")
        text(origin[panel] - 6, at + 4, "end", commas(10 ^ i))
    }
    for (i = x0[panel]; i <= x1[panel]; i++) {
        at = at_x(panel, 10 ^ i)
        line(at, bottom, at, bottom - height, i == x0[panel] ? "#444" : "#eee")
        text(at, bottom + 16, "middle", commas(10 ^ i))
    }
    text(origin[panel] + width / 2, bottom + 34, "middle", below)
    printf "<text x=\"%d\" y=\"24\" font-weight=\"bold\">%s</text>\n", origin[panel], title
    text(origin[panel], 40, "start", "instructions of the broker")
}

function curve(panel, name,    i, path) {
    for (i = 1; i <= points[panel, name]; i++)
        path = path sprintf("%s%.1f,%.1f", i == 1 ? "" : " ",
            at_x(panel, x[panel, name, i]), at_y(panel, y[panel, name, i]))
    printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s/>\n",
        path, color[name], dash[name]
    for (i = 1; i <= points[panel, name]; i++)
        printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
            at_x(panel, x[panel, name, i]), at_y(panel, y[panel, name, i]), color[name]
}

function legend(    i, at) {
    for (i = 1; i <= count; i++) {
        at = 40 + (i - 1) * 148
        printf "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"2\"%s/>\n",
            at, bottom + 58, at + 24, bottom + 58, color[names[i]], dash[names[i]]
        text(at + 30, bottom + 62, "start", label[names[i]])
    }
}

function style(name, name_label, name_color, name_dash) {
    names[++count] = name
    label[name] = name_label
    color[name] = name_color
    dash[name] = name_dash == "" ? "" : " stroke-dasharray=\"" name_dash "\""
}

END {
    style("none", "no checks", "#777777", "2 4")
    style("yes", "says yes", "#b8860b", "6 4")
    style("files", "files", "#c0392b", "")
    style("dynsec", "dynamic-security", "#8e44ad", "8 3 2 3")
    style("devreg", "devreg", "#0b62a4", "")
    style("devreg-presence", "devreg, presence", "#1e8449", "4 2")
    width = 330; height = 300; bottom = 356
    origin[1] = 90; origin[2] = 560
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 940 430\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">"
    print "<rect width=\"940\" height=\"430\" fill=\"#fff\"/>"
    for (p = 1; p <= 2; p++) {
        scale(p)
        if (p == 1) grid(p, "A QoS 0 publish and its delivery", "rules; the last one decides")
        else grid(p, "A CONNECT", "devices")
        for (i = 1; i <= count; i++)
            if (points[p, names[i]]) curve(p, names[i])
    }
    legend()
    print "</svg>"
}
