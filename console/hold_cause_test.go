package console

import (
	"strings"
	"testing"
)

func TestLikelyCauseOfAHeldPlan(t *testing.T) {
	t.Parallel()
	many := func(op, kind string, dns ...string) (out []syncItem) {
		for _, dn := range dns {
			out = append(out, syncItem{Op: op, Kind: kind, DN: dn})
		}
		return out
	}
	for name, c := range map[string]struct {
		items []syncItem
		want  string
	}{
		"nothing is taken away":            {many("update", "user", "uid=a,ou=x"), ""},
		"one place is gone":                {many("gone", "user", "uid=a,ou=sales,dc=x", `cn=B\, C,OU=sales,dc=x`), "All of them were in one place, ou=sales,dc=x"},
		"the directory disabled them":      {many("disable", "user", "uid=a,ou=x", "uid=b,ou=y"), "switched them off"},
		"they have other names":            {[]syncItem{{Op: "update", Name: "a@x", Was: "a"}, {Op: "update", Name: "b@x", Was: "b"}, {Op: "update"}}, "the attribute that names them"},
		"they are everywhere":              {many("gone", "user", "uid=a,ou=x", "uid=b,ou=y", "uid=c,ou=z"), "in many places"},
		"as many are new":                  {append(many("gone", "user", "uid=a,ou=x", "uid=b,ou=y"), many("create", "user", "uid=a,ou=x", "uid=b,ou=y")...), "new ids"},
		"only memberships change":          {many("members", "group", "cn=g,ou=x"), "Only memberships change"},
		"what has no DN is in no place":    {many("gone", "user", "", ""), "in many places"},
		"nine of ten are in one container": {append(many("gone", "user", strings.Split(strings.Repeat("uid=a,ou=x;", 9), ";")[:9]...), many("gone", "user", "uid=z,ou=y")...), "Most of them"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := likely([]string{"4 of 9 users would be disabled"}, syncPlan{Items: c.items}); got == "" != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("likely = %q; want it to say %q", got, c.want)
			}
			if got := likely([]string{"ldap://b: it lags behind what was read before: …"}, syncPlan{Items: c.items}); got != "" {
				t.Errorf("likely of a plan of a server that lags behind = %q, want none", got)
			}
		})
	}
}
