package console

import (
	"fmt"
	"strings"
	"time"
)

// CheckMinutes tells of the checks that this process answered, minute by minute,
// the oldest first, at most an hour. The last one may not be over.
type CheckMinutes func() []CheckMinute

// A CheckMinute is what the checks of one minute were.
type CheckMinute struct {
	Ended  time.Time
	Span   time.Duration // how long it was; of the last one, until now
	Checks int
	Memory int           // checks whose subject was in the memory of the process
	P99    time.Duration // that 99 of 100 did not exceed; 0 without checks
}

func (m CheckMinute) rate() float64 {
	if m.Span <= 0 {
		return 0
	}
	return float64(m.Checks) / m.Span.Seconds()
}

// quick is how long a check may take before the first page says "look".
const quick = 50 * time.Millisecond

// tilesOfChecks are how many checks there are, how long they take and how many
// the memory of this process answers: of the last minute that is over, or of the
// one that runs if there is none yet.
func (c *Console) tilesOfChecks(req request, v *overviewView) error {
	if c.CheckMinutes == nil || v.Nobody {
		return nil
	}
	minutes := c.CheckMinutes()
	asked := 0
	for _, m := range minutes {
		asked += m.Checks
	}
	if v.NoChecks = asked == 0; v.NoChecks {
		return nil
	}
	last := minutes[max(0, len(minutes)-2)]
	latency := tileView{Number: shortly(last.P99), Words: "99 of 100 checks within", Href: "/settings/diagnostics"}
	hits := tileView{Number: "--", Words: "checks answered from memory", Href: "/settings/diagnostics"}
	if last.P99 > quick {
		latency.Tone = Warn
	}
	if last.Checks > 0 {
		hits.Number = fmt.Sprintf("%.1f %%", 100*float64(last.Memory)/float64(last.Checks))
	}
	v.Tiles = append(v.Tiles, tileView{Number: rateText(last.rate()), Words: "checks a second", Href: "/settings/diagnostics"}, latency, hits)
	rates, p99 := make([]float64, len(minutes)), make([]float64, len(minutes))
	for i, m := range minutes {
		rates[i], p99[i] = m.rate(), float64(m.P99)
	}
	v.Charts = append(v.Charts,
		hourChart("Checks a second", minutes, rates, rateText),
		hourChart("99 of 100 checks within", minutes, p99, func(f float64) string { return shortly(time.Duration(f)) }))
	return nil
}

// hourChart draws one value of each minute, 300 by 60.
func hourChart(title string, minutes []CheckMinute, values []float64, text func(float64) string) chartView {
	begin, end := minutes[0].Ended.Add(-minutes[0].Span), minutes[len(minutes)-1].Ended
	most := 0.0
	for _, value := range values {
		most = max(most, value)
	}
	var points []string
	for i, m := range minutes {
		x, y := 300.0, 58.0
		if span := end.Sub(begin); span > 0 {
			x = 300 * float64(m.Ended.Sub(begin)) / float64(span)
		}
		if most > 0 {
			y = 58 - 54*values[i]/most
		}
		if i == 0 {
			points = append(points, fmt.Sprintf("0,%.1f", y))
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
	}
	return chartView{
		Title: title, Points: strings.Join(points, " "), Most: text(most), First: begin.UTC().Format("15:04"), Last: end.UTC().Format("15:04") + " UTC",
		Words: fmt.Sprintf("at most %s, now %s", text(most), text(values[len(values)-1])),
	}
}

// rateText writes a rate with the digits that matter.
func rateText(rate float64) string {
	switch {
	case rate == 0:
		return "0"
	case rate < 0.01:
		return "< 0.01"
	case rate < 10:
		return fmt.Sprintf("%.2f", rate)
	}
	return thousands(int(rate + 0.5))
}

// shortly writes a duration with three digits at most; "--" for none.
func shortly(d time.Duration) string {
	switch {
	case d <= 0:
		return "--"
	case d < time.Microsecond:
		return d.String()
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}
