package scim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/store/storetest"
)

// crowd lets 50 clients add 20 distinct members each to one group, in single
// requests, while they take away what was there and rename the group. Client i
// talks to the server that at returns. The union must be exact.
func crowd(t *testing.T, first *server, at func(i int) *server) {
	const clients, adds = 50, 20
	gone := make([]string, clients)
	for i := range gone {
		gone[i] = fmt.Sprintf(`"gone-%02d"`, i)
	}
	body := fmt.Sprintf(`{"schemas":[],"displayName":"crowd","members":[%s,"stays"]}`, strings.Join(gone, ","))
	path := "/Groups/" + fmt.Sprint(first.do("POST", "/Groups", body).want(t, "POST", 201).at("id"))
	var failed atomic.Int32
	patch := func(s *server, op string) {
		if r := s.do("PATCH", path, `{"Operations":[`+op+`]}`); r.status != 200 && r.status != 204 {
			failed.Add(1)
			t.Errorf("PATCH %s = %d %s", op, r.status, r.raw)
		}
	}
	together(clients, func(i int) {
		s := at(i)
		rnd := rand.New(rand.NewPCG(1, uint64(i)))
		for n := range adds {
			patch(s, fmt.Sprintf(`{"op":"Add","path":"members","value":[{"value":"new-%02d-%02d"}]}`, i, n))
			switch rnd.IntN(8) {
			case 0:
				patch(s, fmt.Sprintf(`{"op":"replace","path":"displayName","value":"crowd %d %d"}`, i, n))
			case 1: // again, and what is not there
				patch(s, fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"new-%02d-%02d"}]},{"op":"remove","path":"members[value eq \"nobody\"]"}`, i, n))
			case 2:
				patch(s, fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"brief-%d"}]},{"op":"remove","path":"members[value eq \"brief-%d\"]"}`, i, i))
			}
		}
		patch(s, fmt.Sprintf(`{"op":"Remove","path":"members","value":[{"value":"gone-%02d"}]}`, i))
	})
	var got, want []string
	for _, m := range first.do("GET", path, "").want(t, "GET", 200).at("members").([]any) {
		got = append(got, m.(map[string]any)["value"].(string))
	}
	for i := range clients * adds {
		want = append(want, fmt.Sprintf("new-%02d-%02d", i/adds, i%adds))
	}
	want = append(want, "stays")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || failed.Load() > 0 {
		t.Errorf("%d members, want the %d that were added and nobody taken away; %d requests failed", len(got), len(want), failed.Load())
	}
}

func TestACrowdLosesNoMember(t *testing.T) {
	onBoth(t, func(t *testing.T) {
		s := start(t)
		crowd(t, s, func(int) *server { return s })
	})
}

func TestACrowdOnTwoReplicasLosesNoMember(t *testing.T) {
	dsn := storetest.Postgres(t)
	var replicas [2]*server
	for i := range replicas {
		st, err := store.Open(t.Context(), store.Config{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		replicas[i] = startOn(t, st)
	}
	crowd(t, replicas[0], func(i int) *server { return replicas[i%2] })
}
