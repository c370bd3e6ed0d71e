package scim

import (
	"fmt"
	"strings"
	"testing"
)

// TestALongChainOfReferences: every group refers to all that come after it, so
// that each pass over them can make one.
func TestALongChainOfReferences(t *testing.T) {
	s := start(t)
	const n = 60
	ops := make([]string, n)
	for i := range n {
		members := make([]string, 0, n)
		for k := i + 1; k < n; k++ {
			members = append(members, fmt.Sprintf(`{"value":"bulkId:g%d"}`, k))
		}
		ops[i] = fmt.Sprintf(`{"method":"POST","path":"/Groups","bulkId":"g%d","data":{"schemas":[],"displayName":"chain %d","members":[%s]}}`,
			i, i, strings.Join(members, ","))
	}
	r := s.do("POST", "/Bulk", `{"Operations":[`+strings.Join(ops, ",")+`]}`).want(t, "POST", 200)
	for i := range n {
		location := fmt.Sprint(r.at(fmt.Sprintf("Operations/%d/location", i)))
		_, path, _ := strings.Cut(location, "/scim/okta/v2")
		g := s.do("GET", path, "").want(t, "GET of "+location, 200)
		list, _ := g.at("members").([]any)
		if g.at("displayName") != fmt.Sprint("chain ", i) || len(list) != n-1-i {
			t.Errorf("group %d is %v with %d members, want %d", i, g.at("displayName"), len(list), n-1-i)
		}
	}
}

func TestABulkSaysWhatItMeansOnce(t *testing.T) {
	s := start(t)
	for _, body := range []string{
		`{"Operations":[],"operations":[{"method":"DELETE","path":"/Users/x"}]}`,
		`{"Operations":[{"method":"DELETE","Method":"GET","path":"/Users/x"}]}`,
	} {
		s.do("POST", "/Bulk", body).want(t, "POST "+body, 400)
	}
}

// BenchmarkWaiting is what references cost that are to be looked at again and
// again: a thousand groups, each of which refers to all that come after it.
func BenchmarkWaiting(b *testing.B) {
	const n = 1_000
	ids := make([]any, n)
	for i := range ids {
		ids[i] = map[string]any{"value": fmt.Sprint("bulkId:g", i)}
	}
	for b.Loop() {
		run := bulkRun{byID: map[string]*bulkOp{}}
		for i := range n {
			o := &bulkOp{method: "POST", path: "/Groups", data: map[string]any{"members": ids[i+1:]}}
			o.needs = bulkIDs(o.path, o.data)
			run.ops = append(run.ops, o)
			run.byID[fmt.Sprint("g", i)] = o
		}
		for i := range n {
			for k, o := range run.ops {
				if waits, lost := run.waits(o); lost || waits != (k < n-1-i) && o.id == "" {
					b.Fatalf("operation %d waits %t, lost %t in pass %d", k, waits, lost, i)
				}
			}
			run.ops[n-1-i].id = "made"
		}
	}
}
