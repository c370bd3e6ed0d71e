package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/directory"
)

func TestTheFirstPageTellsWhatToDoNext(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	owner := h.user("owner@example.com", "owner")
	b := h.browse()
	h.enter(b, owner)
	b.open("/")
	b.sees("Connect a source")
	b.sees("Say what there is")
	b.look("overview-first")
}

func TestTheFirstPageDrawsTheChecksOfAnHour(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.policy("tests: []\n")
	asked := false
	s.console.CheckMinutes = func() (out []console.CheckMinute) {
		begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		for i := range 60 {
			m := console.CheckMinute{Ended: begin.Add(time.Duration(i) * time.Minute), Span: time.Minute}
			if asked {
				m.Checks, m.Memory, m.P99 = 60*(i+1), 57*(i+1), time.Duration(i+1)*time.Microsecond
			}
			out = append(out, m)
		}
		return out
	}
	s.user("second@example.com", directory.RoleOwner)
	b := s.browse()
	s.enter(b, s.owner)
	b.open("/")
	b.sees("No check was asked yet")
	asked = true
	b.open("/")
	for tile, want := range map[string]string{"checks a second": "59", "99 of 100 checks within": "59 µs", "checks answered from memory": "95.0 %"} {
		b.until(fmt.Sprintf(`[...document.querySelectorAll(".tile")].some(e => e.querySelector("dt")?.innerText === %q && e.querySelector("b").innerText.trim() === %q)`, tile, want), tile+" "+want)
	}
	b.until(`document.querySelectorAll("svg.chart polyline").length === 4`, "charts of checks and of seats")
	b.until(`document.querySelector("svg.chart").getAttribute("aria-label") === "Checks a second: at most 60, now 60"`, "the same in words")
	b.look("overview-checks")
}

func TestTheFirstPageAndTheBillCountSeats(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := s.browse()
	s.enter(b, s.owner)
	b.open("/")
	b.until(`[...document.querySelectorAll(".tile")].some(e => e.innerText.includes("seats of Part list") && e.innerText.includes("1"))`, "the seats")
	b.until(`!document.body.innerText.includes("Connect a source\n\nPeople")`, "a source connected")
	b.sees("last heard of okta")
	b.sees("Policy changed")
	b.look("overview")
	b.open("/billing")
	b.sees("EUR a month")
	b.until(`document.querySelectorAll("svg.chart polyline").length === 2`, "a chart for each feature")
	b.look("billing")
	b.click(`td[data-label="Idle for 90 days"] a`)
	b.sees("Last login: not for 90 days, or never")
	b.sees("ana@example.com")
	b.look("billing-idle")
	b.open("/billing")
	b.press("Part list")
	b.sees("ana@example.com")
	b.press("Explain")
	client := s.signedIn(s.owner)
	if got := body(t, client, s.url+"/billing?format=csv"); !strings.Contains(got, "Part list,1,4.00,4.00,EUR") {
		t.Errorf("the CSV of the bill is %q", got)
	}
	if got := body(t, client, s.url+"/billing/part-list?format=csv"); !strings.Contains(got, "ana@example.com") || strings.Contains(got, "ben@example.com") {
		t.Errorf("the CSV of seats is %q", got)
	}
}
