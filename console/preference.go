package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// preferences are what a browser remembers of how its user wants to look at
// things. They decide nothing.
type preferences struct {
	Size    int                 // rows of a page of a list
	Columns map[string][]string // by list
}

const preferenceCookie = "usherd-view"

// sizes are how many rows a page of a list may have.
var sizes = []int{25, 50, 100, 200}

// readPreferences reads the cookie; what does not read is left at its default.
func readPreferences(r *http.Request) preferences {
	p := preferences{Size: 50, Columns: map[string][]string{}}
	held, err := r.Cookie(preferenceCookie)
	if err != nil || len(held.Value) > 2000 {
		return p
	}
	values, err := url.ParseQuery(held.Value)
	if err != nil {
		return p
	}
	if n, err := strconv.Atoi(values.Get("size")); err == nil && slices.Contains(sizes, n) {
		p.Size = n
	}
	for key := range values {
		if list, ok := strings.CutPrefix(key, "cols."); ok {
			p.Columns[list] = strings.Split(values.Get(key), ".")
		}
	}
	return p
}

// remember keeps preferences in the browser for a year.
func (c *Console) remember(w http.ResponseWriter, p preferences) {
	values := url.Values{"size": {strconv.Itoa(p.Size)}}
	for list, columns := range p.Columns {
		values.Set("cols."+list, strings.Join(columns, "."))
	}
	http.SetCookie(w, c.cookie(preferenceCookie, values.Encode(), 365*24*time.Hour))
}
