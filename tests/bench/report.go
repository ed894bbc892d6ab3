package main

import (
	"fmt"
	"slices"
	"strings"
)

// group is the samples of one verb of one runtime in one case.
type group struct {
	verb, runtime string
	summary
}

// groups sorts the samples of a case, verbs in the order of their first appearance and
// runtimes in the order of the report.
func groups(r CaseResult, runtimes []Runtime) []group {
	var verbs []string
	samples := map[[2]string][]Sample{}
	for _, s := range r.Samples {
		if !slices.Contains(verbs, s.Verb) {
			verbs = append(verbs, s.Verb)
		}
		key := [2]string{s.Verb, s.Runtime}
		samples[key] = append(samples[key], s)
	}
	var out []group
	for _, verb := range verbs {
		for _, rt := range runtimes {
			if s := summarize(samples[[2]string{verb, rt.Name}]); s.n > 0 {
				out = append(out, group{verb, rt.Name, s})
			}
		}
	}
	return out
}

func find(all []group, verb, runtime string) summary {
	for _, g := range all {
		if g.verb == verb && g.runtime == runtime {
			return g.summary
		}
	}
	return summary{}
}

func caseTitle(c Case) string {
	seccomp := "without seccomp"
	if c.Seccomp {
		seccomp = "with Docker's seccomp profile"
	}
	switch c.Scenario {
	case "run", "life":
		return fmt.Sprintf("%s, %s, %s", c.Scenario, c.Pace(), seccomp)
	case "exec":
		return fmt.Sprintf("%d times exec, %s", c.Count, seccomp)
	case "many":
		return fmt.Sprintf("%d containers, %s", c.Count, seccomp)
	default:
		return c.Scenario + ", " + seccomp
	}
}

// markdown is the report for people.
func markdown(r Report, bases, plots []string) string {
	bases = slices.DeleteFunc(slices.Clone(bases), func(name string) bool {
		return !slices.ContainsFunc(r.Runtimes, func(rt Runtime) bool { return rt.Name == name })
	})
	var b strings.Builder
	fmt.Fprintf(&b, "# Runtimes measured\n\n%s- command: `%s`\n\n", r.Machine.lines(), strings.Join(r.Command, " "))
	writeRuntimes(&b, r.Runtimes)
	fmt.Fprintf(&b, "\nTimes are wall milliseconds by CLOCK_MONOTONIC from fork to wait4; cpu is user+sys of the command and the\n"+
		"children it waited for (median); RSS is the largest peak of any of them. Ratios are of medians, with a 95 %% bootstrap\n"+
		"interval, then of minima. %d warm-up rounds per case are marked in raw.json and count for nothing here;\n"+
		"no other sample is left out. Fewer than %d samples give no ratio.\n", r.Warmup, minSamples)
	writeSummary(&b, r)
	writeProblems(&b, r)
	for i, result := range r.Results {
		if i == 0 || r.Results[i-1].Place != result.Place {
			fmt.Fprintf(&b, "\n## View %s, %d mounts on the host\n", result.View, result.ActualMounts)
		}
		writeCase(&b, result, r.Runtimes, bases)
	}
	writeFacts(&b, r)
	for _, plot := range plots {
		fmt.Fprintf(&b, "\n![%s](%s)\n", strings.TrimSuffix(plot, ".svg"), plot)
	}
	return b.String()
}

func writeRuntimes(b *strings.Builder, runtimes []Runtime) {
	b.WriteString("| name | version | bytes |\n|---|---|--:|\n")
	for _, rt := range runtimes {
		fmt.Fprintf(b, "| %s | %s | %d |\n", rt.Name, rt.Version, rt.Bytes)
	}
}

// writeSummary writes all medians in one table; the rest of the report is its fine print.
func writeSummary(b *strings.Builder, r Report) {
	b.WriteString("\n" + summaryTitle + ": median wall ms\n\n| view, mounts, case | command |")
	for _, rt := range r.Runtimes {
		fmt.Fprintf(b, " %s |", rt.Name)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("--:|", len(r.Runtimes)) + "\n")
	for _, result := range r.Results {
		all := groups(result, r.Runtimes)
		verbs := []string{}
		for _, g := range all {
			if !slices.Contains(verbs, g.verb) {
				verbs = append(verbs, g.verb)
			}
		}
		for _, verb := range verbs {
			fmt.Fprintf(b, "| %s, %d, %s | %s |", result.View, result.ActualMounts, caseTitle(result.Case), verb)
			for _, rt := range r.Runtimes {
				fmt.Fprintf(b, " %s |", medianCell(find(all, verb, rt.Name)))
			}
			b.WriteString("\n")
		}
	}
}

const summaryTitle = "## Summary"

func medianCell(s summary) string {
	if s.n == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", s.median)
}

// upToSummary is the part of the report that is worth a terminal.
func upToSummary(report string) string {
	at := strings.Index(report, summaryTitle)
	end := strings.Index(report[at:]+"\n### ", "\n### ")
	return report[:at+end]
}

// writeProblems lists what was left out, once for each view and reason.
func writeProblems(b *strings.Builder, r Report) {
	var reasons []string
	cases := map[string][]string{}
	for _, result := range r.Results {
		for _, p := range result.Problems {
			reason := fmt.Sprintf("- %s in view %s: %s", p.Runtime, result.View, firstLine(p.What))
			if cases[reason] == nil {
				reasons = append(reasons, reason)
			}
			cases[reason] = append(cases[reason], caseTitle(result.Case))
		}
	}
	if len(reasons) > 0 {
		b.WriteString("\n## Left out\n\nA runtime leaves a case with the first run that does not do what it should.\n\n")
	}
	for _, reason := range reasons {
		fmt.Fprintf(b, "%s (%s)\n", reason, strings.Join(slices.Compact(cases[reason]), "; "))
	}
}

func writeCase(b *strings.Builder, result CaseResult, runtimes []Runtime, bases []string) {
	all := groups(result, runtimes)
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\nLoad average before %s, after %s.\n\n", caseTitle(result.Case), result.LoadBefore, result.LoadAfter)
	b.WriteString("| command | runtime | n | min | Q1 | median | Q3 | cpu | RSS MiB |")
	for _, base := range bases {
		fmt.Fprintf(b, " / %s |", base)
	}
	b.WriteString("\n|---|---|--:|--:|--:|--:|--:|--:|--:|" + strings.Repeat("---|", len(bases)) + "\n")
	for _, g := range all {
		fmt.Fprintf(b, "| %s | %s | %d | %.2f | %.2f | **%.2f** | %.2f | %.2f | %s |",
			g.verb, g.runtime, g.n, g.min, g.q1, g.median, g.q3, g.cpuMS, orDash(g.rssMiB))
		for _, base := range bases {
			fmt.Fprintf(b, " %s |", ratioCell(g, base, find(all, g.verb, base)))
		}
		b.WriteString("\n")
	}
}

func orDash(mib float64) string {
	if mib < 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", mib)
}

func ratioCell(g group, base string, s summary) string {
	if g.runtime == base || s.n == 0 {
		return ""
	}
	r, ok := compare(g.summary, s)
	if !ok {
		return fmt.Sprintf("n < %d", minSamples)
	}
	return fmt.Sprintf("**%.2f** (%.2f-%.2f), min %.2f", r.median, r.low, r.high, r.min)
}

// table is single values: rows in the order in which they came, a column for each runtime.
type table struct {
	title string
	rows  []string
	cells map[string]map[string]string // row, runtime
}

// writeFacts writes the single values of each view: costs of a container, then counts of
// system calls. Those of further numbers of mounts are the same and stay in raw.json.
func writeFacts(b *strings.Builder, r Report) {
	var tables []*table
	at := func(title string) *table {
		for _, t := range tables {
			if t.title == title {
				return t
			}
		}
		tables = append(tables, &table{title: title, cells: map[string]map[string]string{}})
		return tables[len(tables)-1]
	}
	for _, result := range r.Results {
		if result.Place.Mounts != r.Results[0].Place.Mounts {
			continue
		}
		title := fmt.Sprintf("View %s, %s: ", result.View, seccompWord(result.Seccomp))
		if result.Scenario == "trace" {
			at(title + "system calls (of them failed), processes+threads").addTrace(result.Facts)
		} else {
			at(title + "single values").addFacts(result.Facts)
		}
	}
	for _, t := range tables {
		t.write(b, r.Runtimes)
	}
}

// set fills a cell; the first value stays.
func (t *table) set(row, runtime, value string) {
	if t.cells[row] == nil {
		t.cells[row] = map[string]string{}
		t.rows = append(t.rows, row)
	}
	if t.cells[row][runtime] == "" {
		t.cells[row][runtime] = value
	}
}

func (t *table) addFacts(facts []Fact) {
	for _, f := range facts {
		value := strings.TrimSuffix(fmt.Sprintf("%.1f", f.Value), ".0")
		t.set(strings.TrimSuffix(f.Name+", "+f.Unit, ", "), f.Runtime, value)
	}
}

// addTrace puts the four counts of a verb, which traceVerb notes in a row, into one cell.
func (t *table) addTrace(facts []Fact) {
	for i := 0; i+3 < len(facts); i++ {
		verb, isCalls := strings.CutSuffix(facts[i].Name, " calls")
		if isCalls {
			t.set(verb, facts[i].Runtime, fmt.Sprintf("%.0f (%.0f), %.0f+%.0f",
				facts[i].Value, facts[i+1].Value, facts[i+2].Value, facts[i+3].Value))
		}
	}
}

func (t *table) write(b *strings.Builder, runtimes []Runtime) {
	if len(t.rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n| |", t.title)
	for _, rt := range runtimes {
		fmt.Fprintf(b, " %s |", rt.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(runtimes)) + "\n")
	for _, row := range t.rows {
		fmt.Fprintf(b, "| %s |", row)
		for _, rt := range runtimes {
			fmt.Fprintf(b, " %s |", t.cells[row][rt.Name])
		}
		b.WriteString("\n")
	}
}

func seccompWord(on bool) string {
	if on {
		return "with Docker's seccomp profile"
	}
	return "without seccomp"
}
