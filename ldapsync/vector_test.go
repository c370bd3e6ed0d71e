package ldapsync

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWhatAServerLacks(t *testing.T) {
	const older, newer = "20260102030405.000001Z#000000#001#000000", "20260102031405.000000Z#000000#001#000000"
	seen := Vector{"dc=x": {"serverID 001": newer, "serverID 002": older}}
	for _, c := range []struct {
		name string
		has  Vector
		base string
		want string // what the first gap says; nothing is none
	}{
		{"one that has all lacks nothing", seen, "dc=x", ""},
		{"one that has more lacks nothing", Vector{"dc=x": {"serverID 001": newer, "serverID 002": newer, "serverID 003": older}}, "dc=x", ""},
		{"an older change on one of two is a gap", Vector{"dc=x": {"serverID 001": older, "serverID 002": newer}}, "dc=x", "serverID 001 under dc=x it has those until 2026-01-02 03:04:05"},
		{"how far behind is told", Vector{"dc=x": {"serverID 001": older, "serverID 002": newer}}, "dc=x", "2026-01-02 03:14:05 UTC were read before (10m0s)"},
		{"an origin that is not known is a gap", Vector{"dc=x": {"serverID 001": newer}}, "dc=x", "serverID 002 under dc=x it knows nothing"},
		{"of a naming context that it does not tell of nobody knows", Vector{"dc=y": {"serverID 001": newer}}, "ou=people,dc=x", ""},
		{"the base of everything has every naming context in it", Vector{"dc=x": {"serverID 002": older}}, "", "serverID 001 under dc=x it knows nothing"},
		{"unless nothing of it is read", nil, "dc=y", ""},
		{"one that ends alike is another", nil, "ou=people,adc=x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.has.without(seen, canonicalNames(c.base))
			if below := c.has.silent(Vector{"ou=below," + c.base: seen["dc=x"]}, canonicalNames(c.base)); len(below) != 1 {
				t.Errorf("of a naming context below the base it tells, but of %v; want that it does not", below)
			}
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) == 0 || !strings.Contains(got[0].String(), c.want)) {
				t.Errorf("gaps are %v, want %q", got, c.want)
			}
		})
	}
}

func TestCSNsOfBothKinds(t *testing.T) {
	for _, c := range []struct{ name, text, origin, csn string }{
		{"OpenLDAP", "20261122160922.123456Z#000000#00A#000000", "serverID 00a", "20261122160922.123456Z#000000#00a#000000"},
		{"OpenLDAP before 2.4", "20061122160922Z#000001#0a#000000", "serverID 00a", "20061122160922.000000Z#000001#00a#000000"},
		{"no time", "20261322160922.123456Z#000000#001#000000", "", ""},
		{"too short", "20261122160922.1Z#000000#001#000000", "", ""},
		{"too few parts", "20261122160922.123456Z#000000#001", "", ""},
		{"no number", "20261122160922.123456Z#000000#0x1#000000", "", ""},
	} {
		if origin, csn, err := parseContextCSN(c.text); origin != c.origin || csn != c.csn || (err != nil) != (c.csn == "") {
			t.Errorf("%s: %q, %q, %v; want %q, %q", c.name, origin, csn, err, c.origin, c.csn)
		}
	}
	const data, first, last = "{replicageneration} 6B031C78000000070000", "{replica 7 ldap://a:389} 6b031c78000100070000 6B031C79000100070000", "{replica 9 ldap://b:389}"
	for _, c := range []struct {
		name   string
		values []string
		want   map[string]string // nil is an error
	}{
		{"a replica that changed something, and one that did not", []string{last, first, data}, map[string]string{"replica 7 of 6b031c78000000070000": "6b031c79000100070000"}},
		{"without a generation", []string{first}, nil},
		{"a generation that is none", []string{"{replicageneration} 6b"}, nil},
		{"a CSN that is none", []string{data, "{replica 7} 1 2"}, nil},
		{"a replica without a number", []string{data, "{replica x ldap://a} 6b031c78000100070000 6b031c78000100070000"}, nil},
		{"a brace that is not closed", []string{data, "{replica 7"}, nil},
		{"nothing", nil, nil},
	} {
		if got, err := parseRUV(c.values); !maps.Equal(got, c.want) || (err != nil) != (c.want == nil) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
	if at := madeAt("6b031c79000100070000"); at.Format("2006-01-02") != "2026-11-22" {
		t.Errorf("the time of a CSN in hexadecimal is %s", at)
	}
}

func vectors() *rapid.Generator[Vector] {
	csn := rapid.StringMatching(`202[0-9]0102030405\.00000[0-9]Z#00000[0-9]#001#000000`)
	origins := rapid.MapOfN(rapid.SampledFrom([]string{"serverID 000", "serverID 001", "serverID 002"}), csn, 1, 3)
	return rapid.Custom(func(t *rapid.T) Vector {
		return rapid.MapOfN(rapid.SampledFrom([]string{"dc=x", "dc=y"}), origins, 0, 2).Draw(t, "vector")
	})
}

// TestVectorsAreALattice: what was seen of two servers lacks nothing of either,
// and adds nothing that neither had.
func TestVectorsAreALattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, w, u := vectors().Draw(t, "v"), vectors().Draw(t, "w"), vectors().Draw(t, "u")
		bases := []string{"ou=people,dc=x", "dc=y"}
		both := v.with(w)
		lacks := func(v, seen Vector) bool { return len(v.without(seen, bases))+len(v.silent(seen, bases)) > 0 }
		if lacks(both, v) || lacks(both, w) {
			t.Fatalf("both together, %v, lack something of one", both)
		}
		if !lacks(u, v) && !lacks(u, w) && lacks(u, both) {
			t.Fatal("one that has what either has lacks something of both")
		}
		if !lacks(v, w) && !lacks(w, v) && !reflect.DeepEqual(v.concerning(bases), w.concerning(bases)) && len(v)+len(w) > 0 {
			t.Fatalf("%v and %v lack nothing of each other, and differ", v, w)
		}
		text, err := json.Marshal(both)
		var again Vector
		if err != nil || json.Unmarshal(text, &again) != nil || lacks(again, both) {
			t.Fatalf("in the cursor it is %s, %v", text, err)
		}
	})
}

func FuzzContextCSN(f *testing.F) {
	f.Add("20261122160922.123456Z#000000#001#000000")
	f.Add("20061122160922Z#000001#0a#000000")
	f.Fuzz(func(t *testing.T, text string) {
		origin, csn, err := parseContextCSN(text)
		if err != nil {
			return
		}
		if o, c, err := parseContextCSN(csn); err != nil || o != origin || c != csn || len(csn) != contextCSNLen || madeAt(csn).IsZero() && csn[:4] != "0001" {
			t.Errorf("%q is %q of %q, which reads as %q of %q, %v", text, csn, origin, c, o, err)
		}
	})
}

func FuzzRUV(f *testing.F) {
	f.Add("{replicageneration} 6b031c78000000070000", "{replica 7 ldap://a:389} 6b031c78000100070000 6b031c79000100070000")
	f.Add("{replicageneration} 6b031c78000000070000", "{replica 9 ldap://b:389}")
	f.Fuzz(func(t *testing.T, a, b string) {
		got, err := parseRUV([]string{a, b})
		if (err == nil) != (got != nil) {
			t.Fatalf("%v, %v", got, err)
		}
		for origin, csn := range got {
			if len(csn) != ruvCSN || madeAt(csn).Year() < 1970 || !strings.HasPrefix(origin, "replica ") {
				t.Errorf("%q of %q", csn, origin)
			}
		}
	})
}
