package scim

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// together runs f(0) to f(n-1) at the same time and waits for all.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func TestNoMemberIsLost(t *testing.T) { onBoth(t, testNoMemberIsLost) }

func testNoMemberIsLost(t *testing.T) {
	s := start(t)
	path := "/Groups/" + fmt.Sprint(s.do("POST", "/Groups", `{"schemas":[],"displayName":"hot","members":["gone0","gone1","gone2","gone3"]}`).want(t, "POST", 201).at("id"))
	together(50, func(i int) {
		op := fmt.Sprintf(`{"op":"Add","path":"members","value":[{"value":"m%d"}]}`, i)
		if i < 4 {
			op += fmt.Sprintf(`,{"op":"remove","path":"members[value eq \"gone%d\"]"}`, i)
		}
		if i%5 == 0 {
			op += fmt.Sprintf(`,{"op":"replace","path":"displayName","value":"hot%d"}`, i)
		}
		if r := s.do("PATCH", path, `{"Operations":[`+op+`]}`); r.status != 200 {
			t.Errorf("PATCH %d = %d %s", i, r.status, r.raw)
		}
	})
	r := s.do("GET", path, "")
	if n := len(r.at("members").([]any)); n != 50 || strings.Contains(r.raw, "gone") {
		t.Errorf("%d members, want the 50 that were added: %s", n, r.raw)
	}
}

func TestNoAttributeIsLost(t *testing.T) { onBoth(t, testNoAttributeIsLost) }

func testNoAttributeIsLost(t *testing.T) {
	s := start(t)
	path := "/Users/" + fmt.Sprint(s.do("POST", "/Users", `{"schemas":[],"userName":"hot"}`).want(t, "POST", 201).at("id"))
	together(30, func(i int) {
		r := s.do("PATCH", path, fmt.Sprintf(`{"Operations":[{"op":"add","path":"phoneNumbers","value":[{"value":"%d"}]}]}`, i))
		if r.status != 200 {
			t.Errorf("PATCH %d = %d %s", i, r.status, r.raw)
		}
	})
	if r := s.do("GET", path, ""); len(r.at("phoneNumbers").([]any)) != 30 {
		t.Errorf("%d numbers, want 30: %s", len(r.at("phoneNumbers").([]any)), r.raw)
	}
}

func TestOnlyOneOfManyPostsCreates(t *testing.T) { onBoth(t, testOnlyOneOfManyPostsCreates) }

func testOnlyOneOfManyPostsCreates(t *testing.T) {
	s := start(t)
	var mu sync.Mutex
	statuses := map[int]int{}
	together(16, func(int) {
		r := s.do("POST", "/Users", `{"schemas":[],"userName":"race","externalId":"R"}`)
		mu.Lock()
		defer mu.Unlock()
		statuses[r.status]++
	})
	if statuses[201] != 1 || statuses[409] != 15 {
		t.Errorf("statuses %v, want one 201 and fifteen 409", statuses)
	}
}

func TestOnlyOneOfManyGuardedWritesWins(t *testing.T) { onBoth(t, testOnlyOneOfManyGuardedWritesWins) }

func testOnlyOneOfManyGuardedWritesWins(t *testing.T) {
	s := start(t)
	r := s.do("POST", "/Users", `{"schemas":[],"userName":"guarded"}`).want(t, "POST", 201)
	path, version := "/Users/"+fmt.Sprint(r.at("id")), fmt.Sprint(r.at("meta/version"))
	var mu sync.Mutex
	statuses := map[int]int{}
	together(10, func(i int) {
		r := s.do("PATCH", path, fmt.Sprintf(`{"Operations":[{"op":"replace","path":"title","value":"%d"}]}`, i), "If-Match", version)
		mu.Lock()
		defer mu.Unlock()
		statuses[r.status]++
	})
	if statuses[200] != 1 || statuses[412] != 9 {
		t.Errorf("statuses %v, want one 200 and nine 412", statuses)
	}
}

func TestBigGroups(t *testing.T) {
	s := start(t)
	members := make([]string, 1000)
	for i := range members {
		members[i] = fmt.Sprintf(`{"value":"big-%d"}`, i)
	}
	r := s.do("POST", "/Groups", `{"schemas":[],"displayName":"big","members":[`+strings.Join(members, ",")+`]}`).want(t, "POST", 201)
	path := "/Groups/" + fmt.Sprint(r.at("id"))
	r = s.do("PATCH", path, `{"Operations":[{"op":"add","path":"members","value":["one-more"]}]}`).want(t, "a PATCH of a big group", 204)
	if r.raw != "" || r.header.Get("ETag") == "" || r.header.Get("Usherd-Revision") == "" {
		t.Errorf("204 with headers %v and body %q", r.header, r.raw)
	}
	for _, names := range []string{"members", "displayName,members.value"} {
		r = s.do("PATCH", path+"?attributes="+names, `{"Operations":[{"op":"add","path":"members","value":["one-more"]}]}`).want(t, "a PATCH that asks for "+names, 200)
		if list, _ := r.at("members").([]any); len(list) <= smallGroup {
			t.Errorf("a PATCH that asks for %s is answered with %d members", names, len(list))
		}
	}
	s.do("PATCH", path+"?excludedAttributes=members", `{"Operations":[{"op":"add","path":"members","value":["another"]}]}`).want(t, "without its members", 200)
	if r = s.do("GET", path, ""); len(r.at("members").([]any)) != 1002 {
		t.Errorf("%d members, want 1002", len(r.at("members").([]any)))
	}
	if r = s.do("GET", path+"?excludedAttributes=members", ""); len(r.raw) > 600 {
		t.Errorf("%d bytes without members", len(r.raw))
	}
}

func TestPagesHoldEverythingOnce(t *testing.T) { onBoth(t, testPagesHoldEverythingOnce) }

func testPagesHoldEverythingOnce(t *testing.T) {
	s := start(t)
	for i := range 11 {
		s.do("POST", "/Users", fmt.Sprintf(`{"schemas":[],"userName":"u%02d","title":"t%d"}`, i, i%2)).want(t, "POST", 201)
	}
	walk := func(query string, size int, next func(page int, r reply) string) string {
		var ids []string
		for page, at := 0, next(0, reply{}); ; page++ {
			r := s.do("GET", fmt.Sprintf("/Users?count=%d&attributes=userName%s%s", size, query, at), "").want(t, "page", 200)
			list := r.at("Resources").([]any)
			for _, e := range list {
				ids = append(ids, e.(map[string]any)["userName"].(string))
			}
			if at = next(page+1, r); at == "" || len(list) == 0 {
				return strings.Join(ids, " ")
			}
		}
	}
	for _, query := range []string{"", "&filter=title%20eq%20%22t1%22", "&filter=title%20ne%20%22t1%22"} {
		want := walk(query, 100, func(p int, _ reply) string { return map[int]string{0: "&startIndex=1"}[p] })
		for _, size := range []int{1, 4} {
			byIndex := walk(query, size, func(p int, _ reply) string { return fmt.Sprintf("&startIndex=%d", p*size+1) })
			byCursor := walk(query, size, func(p int, r reply) string {
				if p == 0 {
					return "&cursor="
				}
				if c := r.at("nextCursor"); c != nil {
					return "&cursor=" + c.(string)
				}
				return ""
			})
			if byIndex != want || byCursor != want {
				t.Errorf("pages of %d%s:\nby index  %s\nby cursor %s\nwant      %s", size, query, byIndex, byCursor, want)
			}
		}
	}
}
