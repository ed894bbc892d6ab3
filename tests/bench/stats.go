package main

import (
	"math/rand/v2"
	"slices"
)

// minSamples is the fewest samples on each side that a ratio is printed for.
const minSamples = 10

// summary describes a distribution of wall times, in milliseconds, and its costs.
type summary struct {
	n                        int
	min, q1, median, q3, max float64
	cpuMS, userMS            float64 // medians
	rssMiB                   float64 // the largest, -1 for batches
	values                   []float64
}

// summarize leaves warm-up rounds out and nothing else.
func summarize(samples []Sample) summary {
	var wall, cpu, user []float64
	s := summary{rssMiB: -1}
	for _, x := range samples {
		if x.Warmup {
			continue
		}
		wall = append(wall, float64(x.WallNS)/1e6)
		cpu = append(cpu, float64(x.UserUS+x.SysUS)/1e3)
		user = append(user, float64(x.UserUS)/1e3)
		s.rssMiB = max(s.rssMiB, float64(x.RSSKiB)/1024)
	}
	s.values, s.n = wall, len(wall)
	if s.n == 0 {
		return s
	}
	s.min, s.max = slices.Min(wall), slices.Max(wall)
	s.q1, s.median, s.q3 = quantile(wall, .25), quantile(wall, .5), quantile(wall, .75)
	s.cpuMS, s.userMS = quantile(cpu, .5), quantile(user, .5)
	return s
}

// quantile interpolates between the two nearest values.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// ratio is how a distribution relates to a base: by the medians, with a 95 % interval,
// and by the minima.
type ratio struct {
	median, low, high, min float64
}

// compare divides s by base. It refuses when either has too few samples.
func compare(s, base summary) (r ratio, ok bool) {
	if s.n < minSamples || base.n < minSamples || base.median == 0 || base.min == 0 {
		return r, false
	}
	r.median, r.min = s.median/base.median, s.min/base.min
	r.low, r.high = bootstrap(s.values, base.values)
	return r, true
}

// bootstrap is the 95 % percentile interval of the ratio of medians: both distributions
// are drawn again with replacement many times. The seed is fixed so that a report repeats.
func bootstrap(values, base []float64) (low, high float64) {
	const draws = 1000
	random := rand.New(rand.NewPCG(1, 2))
	ratios := make([]float64, draws)
	for i := range ratios {
		ratios[i] = quantile(resample(random, values), .5) / quantile(resample(random, base), .5)
	}
	return quantile(ratios, .025), quantile(ratios, .975)
}

func resample(random *rand.Rand, values []float64) []float64 {
	out := make([]float64, len(values))
	for i := range out {
		out[i] = values[random.IntN(len(values))]
	}
	return out
}
