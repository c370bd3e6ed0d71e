package directory_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/directory"
)

// TestAnIndexFindsWhatMatches compares an index with asking each group.
func TestAnIndexFindsWhatMatches(t *testing.T) {
	sources := rapid.SampledFrom([]directory.SourceName{"ad", "okta"})
	names := rapid.SampledFrom([]string{"", "eng", "Eng", "ENG  ", "eng ops", "ops", "straße", "STRASSE", "*", "e*"})
	dns := rapid.SampledFrom([]string{"", "cn=eng,dc=x", "CN=Eng, DC=X", `cn=eng\,ops,dc=x`, "cn=ops,dc=x"})
	rapid.Check(t, func(t *rapid.T) {
		var groups []*directory.GroupFacts
		for num := range rapid.IntRange(0, 12).Draw(t, "groups") {
			g := &directory.GroupFacts{Num: directory.GroupNum(num), Source: sources.Draw(t, "source"), ExternalID: names.Draw(t, "id"), DN: dns.Draw(t, "dn")}
			g.NameKey, _ = directory.KeyOf(names.Draw(t, "name"))
			groups = append(groups, g)
		}
		index := directory.IndexGroups(slices.Values(groups))
		for range 4 {
			s := directory.Selector{Source: sources.Draw(t, "of")}
			value := names.Draw(t, "value")
			switch rapid.IntRange(0, 4).Draw(t, "by") {
			case 0:
				s.ID = value
			case 1:
				s.DN = dns.Draw(t, "value")
			case 2:
				s.Name = value
			case 3:
				s.Pattern = value
			}
			var want []*directory.GroupFacts
			for _, g := range groups {
				if s.Matches(g.Source, g.ExternalID, g.DN, g.NameKey) {
					want = append(want, g)
				}
			}
			if got := index.Matching(s); !slices.Equal(got, want) {
				t.Fatalf("Matching(%+v) = %+v, want %+v", s, got, want)
			}
		}
	})
}
