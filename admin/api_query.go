package admin

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// understands are the names of all parameters of the query that a route takes,
// as the document of the API lists them.
func (op operation) understands(pattern string) []string {
	names := slices.Clone(op.query)
	if !strings.HasPrefix(pattern, http.MethodGet+" ") {
		names = append(names, "dry_run")
	}
	return names
}

// checkQuery refuses parameters that a route does not take: a filter that is
// misspelt would list everybody, and a dry run would be none.
func (c call) checkQuery(known []string) error {
	q, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return invalidAt("", "the query does not read: write it as name=value, joined by & and percent-encoded")
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if slices.Contains(known, name) {
			continue
		}
		name = name[:min(len(name), maxQuoted)]
		hint := didYouMean(name, known)
		if hint == "" && len(known) == 0 {
			hint = "; there are none"
		}
		detail := fmt.Sprintf("%q is no parameter here%s", name, hint)
		return &spotError{Fault{Parameter: name, Detail: detail}, invalid("%s", detail)}
	}
	return nil
}

// maxQuoted is how much is said of a name that nobody knows.
const maxQuoted = 64
