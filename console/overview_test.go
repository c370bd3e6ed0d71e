package console_test

import (
	"strings"
	"testing"
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

func TestTheFirstPageAndTheBillCountSeats(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := s.browse()
	s.enter(b, s.owner)
	b.open("/")
	b.until(`[...document.querySelectorAll(".tile")].some(e => e.innerText.includes("seats of Part list") && e.innerText.includes("1"))`, "the seats")
	b.until(`!document.body.innerText.includes("Connect a source\n\nPeople")`, "a source connected")
	b.sees("last heard of okta")
	b.sees("policy.set")
	b.look("overview")
	b.open("/billing")
	b.sees("EUR a month")
	b.until(`document.querySelectorAll("svg.chart polyline").length === 2`, "a chart for each feature")
	b.look("billing")
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
