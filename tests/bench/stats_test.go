package main

import (
	"math"
	"testing"
)

func samples(ms ...float64) []Sample {
	var out []Sample
	for _, v := range ms {
		out = append(out, Sample{WallNS: int64(v * 1e6), UserUS: 1000, SysUS: 500, RSSKiB: 2048})
	}
	return out
}

func TestSummarize(t *testing.T) {
	all := samples(4, 1, 3, 2, 5)
	all = append(all, Sample{WallNS: 1, Warmup: true}) // must not be the minimum
	s := summarize(all)
	if s.n != 5 || s.min != 1 || s.q1 != 2 || s.median != 3 || s.q3 != 4 || s.max != 5 {
		t.Errorf("got %+v", s)
	}
	if s.cpuMS != 1.5 || s.rssMiB != 2 {
		t.Errorf("cpu %v, rss %v; want 1.5, 2", s.cpuMS, s.rssMiB)
	}
}

func TestQuantileInterpolates(t *testing.T) {
	if got := quantile([]float64{1, 2}, .5); got != 1.5 {
		t.Errorf("median of 1, 2 is %v", got)
	}
	if got := quantile([]float64{7}, .75); got != 7 {
		t.Errorf("quartile of 7 is %v", got)
	}
}

func TestCompareRefusesFewSamples(t *testing.T) {
	nine, ten := make([]float64, 9), make([]float64, 10)
	for i := range ten {
		ten[i] = float64(i + 1)
	}
	copy(nine, ten)
	if _, ok := compare(summarize(samples(nine...)), summarize(samples(ten...))); ok {
		t.Error("9 samples gave a ratio")
	}
	if _, ok := compare(summarize(samples(ten...)), summarize(samples(nine...))); ok {
		t.Error("a base of 9 samples gave a ratio")
	}
	r, ok := compare(summarize(samples(ten...)), summarize(samples(ten...)))
	if !ok || r.median != 1 || r.min != 1 || r.low > 1 || r.high < 1 {
		t.Errorf("ten over itself: %+v, %v", r, ok)
	}
}

func TestBootstrapNarrowsAroundTheRatio(t *testing.T) {
	var a, b []float64
	for i := range 100 {
		a, b = append(a, 2+float64(i)/1000), append(b, 1+float64(i)/1000)
	}
	low, high := bootstrap(a, b)
	want := quantile(a, .5) / quantile(b, .5)
	if low > want || high < want || high-low > .1 || math.IsNaN(low) {
		t.Errorf("interval %v-%v around %v", low, high, want)
	}
}

func TestPartsCoverAll(t *testing.T) {
	for _, count := range []int{1, 7, 10, 100, 1003} {
		seen := map[int]bool{}
		all := parts(count)
		for _, part := range all {
			if len(part) == 0 {
				t.Errorf("%d: an empty batch", count)
			}
			for _, i := range part {
				seen[i] = true
			}
		}
		if len(seen) != count || len(all) > batches {
			t.Errorf("%d: %d members in %d batches", count, len(seen), len(all))
		}
	}
}
