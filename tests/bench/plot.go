package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Sizes of a plot in pixels: one row for each runtime, one panel for each verb and pace.
const (
	rowHeight   = 22
	labelWidth  = 90
	chartWidth  = 400
	valueWidth  = 60
	panelWidth  = labelWidth + chartWidth + valueWidth
	panelMargin = 46 // of a panel: title above, axis below
	headHeight  = 72
	panelGap    = 24
)

// colors tell runtimes apart for colour-blind eyes as well (Okabe and Ito); the floor is grey.
var colors = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

// panel is the distributions of one verb at one pace.
type panel struct {
	title  string
	groups []group
}

// plotAll draws the cases of run and life: one file for each place and seccomp setting,
// verbs below each other, paces side by side.
func plotAll(r Report) map[string]string {
	type key struct {
		Place
		seccomp bool
	}
	rows := map[key]map[string]map[string]panel{} // verb, pace
	verbs := append([]string{"run"}, life...)
	for _, result := range r.Results {
		if result.Scenario != "run" && result.Scenario != "life" {
			continue
		}
		k := key{result.Place, result.Seccomp}
		if rows[k] == nil {
			rows[k] = map[string]map[string]panel{}
		}
		for _, g := range groups(result, r.Runtimes) {
			if rows[k][g.verb] == nil {
				rows[k][g.verb] = map[string]panel{}
			}
			p := rows[k][g.verb][result.Pace()]
			p.title = g.verb + ", " + result.Pace()
			p.groups = append(p.groups, g)
			rows[k][g.verb][result.Pace()] = p
		}
	}
	plots := map[string]string{}
	for k, byVerb := range rows {
		var grid [][]panel
		for _, verb := range verbs {
			if p := byVerb[verb]; p != nil {
				grid = append(grid, []panel{p["isolated"], p["back to back"]})
			}
		}
		title := fmt.Sprintf("View %s, %d mounts, %s", k.View, k.Mounts, seccompWord(k.seccomp))
		name := fmt.Sprintf("%s-%dmounts-%s.svg", k.View, k.Mounts, map[bool]string{true: "seccomp", false: "plain"}[k.seccomp])
		plots[name] = plot(title, grid, r.Runtimes)
	}
	return plots
}

// plot draws a grid of panels; each row has one logarithmic axis, so that paces compare.
func plot(title string, grid [][]panel, runtimes []Runtime) string {
	var body strings.Builder
	grid = usedColumns(grid)
	y, width := headHeight, 0
	for _, row := range grid {
		low, high := limits(row)
		height := 0
		for column, p := range row {
			x := column * (panelWidth + panelGap)
			if len(p.groups) > 0 {
				height = max(height, drawPanel(&body, p, x, y, low, high, runtimes))
			}
			width = max(width, x+panelWidth)
		}
		y += height
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		width, y+8, width, y+8)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	fmt.Fprintf(&b, `<text x="10" y="22" font-size="16" font-weight="bold">%s</text>`+"\n", html.EscapeString(title))
	b.WriteString(`<text x="10" y="41" fill="#555">Wall time in ms, logarithmic.<tspan x="10" dy="16">` +
		`A dot is one run, the box the middle half of them, the bar and the number the median.</tspan></text>` + "\n")
	b.WriteString(body.String() + "</svg>\n")
	return b.String()
}

// usedColumns drops the columns that no row has a panel in.
func usedColumns(grid [][]panel) [][]panel {
	used := map[int]bool{}
	for _, row := range grid {
		for column, p := range row {
			used[column] = used[column] || len(p.groups) > 0
		}
	}
	out := make([][]panel, len(grid))
	for i, row := range grid {
		for column, p := range row {
			if used[column] {
				out[i] = append(out[i], p)
			}
		}
	}
	return out
}

// limits is the range of the axis: all values, widened to the next tick.
func limits(row []panel) (low, high float64) {
	low, high = math.Inf(1), 0
	for _, p := range row {
		for _, g := range p.groups {
			low, high = min(low, g.min), max(high, g.max)
		}
	}
	return low / 1.1, high * 1.1
}

// ticks are 1, 2 and 5 times powers of ten within the range.
func ticks(low, high float64) []float64 {
	var out []float64
	for power := math.Pow(10, math.Floor(math.Log10(low))); power <= high; power *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if t := m * power; t >= low && t <= high {
				out = append(out, t)
			}
		}
	}
	return out
}

func drawPanel(b *strings.Builder, p panel, x, y int, low, high float64, runtimes []Runtime) (height int) {
	scale := func(v float64) float64 {
		return labelWidth + chartWidth*(math.Log(v)-math.Log(low))/(math.Log(high)-math.Log(low))
	}
	bottom := 22 + rowHeight*len(p.groups)
	fmt.Fprintf(b, `<g transform="translate(%d %d)">`+"\n", x, y)
	fmt.Fprintf(b, `<text x="%d" y="14" font-weight="bold">%s</text>`+"\n", labelWidth, html.EscapeString(p.title))
	for _, t := range ticks(low, high) {
		fmt.Fprintf(b, `<path d="M%.1f 20V%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#555" font-size="10">%g</text>`+"\n",
			scale(t), bottom, scale(t), bottom+13, t)
	}
	for i, g := range p.groups {
		drawRow(b, g, 22+rowHeight*i, scale, colorOf(g.runtime, runtimes))
	}
	b.WriteString("</g>\n")
	return rowHeight*len(p.groups) + panelMargin
}

func drawRow(b *strings.Builder, g group, y int, scale func(float64) float64, color string) {
	middle := y + rowHeight/2
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labelWidth-8, middle+4, html.EscapeString(g.runtime))
	fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" fill-opacity=".25"/>`+"\n",
		scale(g.q1), y+3, max(scale(g.q3)-scale(g.q1), 1), rowHeight-6, color)
	// All dots are one path of zero-length strokes with round ends; their height is spread by the golden ratio.
	fmt.Fprintf(b, `<path stroke="%s" stroke-width="3" stroke-linecap="round" stroke-opacity=".5" d="`, color)
	for i, v := range g.values {
		spread := math.Mod(float64(i)*0.618, 1)
		fmt.Fprintf(b, "M%.1f %.1fh0", scale(v), float64(y)+5+spread*(rowHeight-10))
	}
	b.WriteString(`"/>` + "\n")
	fmt.Fprintf(b, `<path stroke="%s" stroke-width="3" d="M%.1f %dv%d"/>`+"\n", color, scale(g.median), y+2, rowHeight-4)
	fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%.2f</text>`+"\n", labelWidth+chartWidth+8, middle+4, color, g.median)
}

func colorOf(name string, runtimes []Runtime) string {
	for i, rt := range runtimes {
		if rt.Name == name && !rt.Floor {
			return colors[i%len(colors)]
		}
	}
	return "#555"
}
