package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/a-h/templ"
)

// A Cell is one value of a row, for the table and for CSV alike.
type Cell struct {
	Text string    // what is read
	Href string    // where it leads; empty: nowhere
	Tone Tone      // as a badge with this meaning; empty: plain text
	Time time.Time // shown as a time instead of Text; the zero time as "--"
	kind cellKind
	More []Cell // shown after this one
	// Show is what the table shows instead; Text is still what CSV has.
	Show templ.Component
}

type cellKind uint8

const (
	plain cellKind = iota
	moment
	number
)

// A Tone is what a badge means besides its words.
type Tone string

// The tones.
const (
	Good    Tone = "good"
	Warn    Tone = "warn"
	Bad     Tone = "bad"
	Info    Tone = "info"
	Neutral Tone = "neutral"
)

// Text is a plain cell.
func Text(s string) Cell { return Cell{Text: s} }

// Link is a cell that leads to a page.
func Link(s, href string) Cell { return Cell{Text: s, Href: href} }

// Badge is a cell that stands out; its words say what its colour does.
func Badge(s string, tone Tone) Cell { return Cell{Text: s, Tone: tone} }

// short reports whether a badge is better kept on one line than broken.
func (c Cell) short() bool { return utf8.RuneCountInString(c.Text) <= 16 }

// Time is a cell of a moment; the zero time means never.
func Time(t time.Time) Cell { return Cell{Time: t, kind: moment} }

// Number is a right-aligned cell.
func Number(n int) Cell { return Cell{Text: strconv.Itoa(n), kind: number} }

// Cells is a cell of several.
func Cells(all ...Cell) Cell {
	if len(all) == 0 {
		return Cell{}
	}
	first := all[0]
	first.More = all[1:]
	return first
}

// plain is the cell's text for CSV.
func (c Cell) plain() string {
	text := c.Text
	if c.kind == moment {
		text = ""
		if !c.Time.IsZero() {
			text = c.Time.UTC().Format(time.RFC3339)
		}
	}
	for _, more := range c.More {
		if t := more.plain(); t != "" {
			text += ", " + t
		}
	}
	return text
}

// A Row is one object of a list.
type Row struct {
	ID    string // what a ticked row sends
	Label string // what a screen reader calls it
	Cells map[string]Cell

	// Anchor is the id of the row in the page; empty: it has none.
	Anchor string
	// Later is a page with the same row, whole, that takes a while to make: the
	// browser fetches it and puts it in this one's place.
	Later templ.SafeURL
}

// A Column is one that a list can show.
type Column struct {
	Key, Title string
	Default    bool   // shown unless the viewer chose others
	Sort       string // sort key, if the list can be sorted by it
	Number     bool
	Here       bool // on the page alone, not in CSV
}

// A Filter is one that a list can be narrowed by. Without options it is a text.
type Filter struct {
	Key, Title string
	Options    []Option
	Day        bool // a day, as 2026-03-31
}

// An Option is one value of a filter.
type Option struct{ Value, Title string }

// A Bulk is something that can be done with the ticked rows: a form posted to
// Action with the ids, or the filter if all that match were chosen.
type Bulk struct {
	Action, Title string
	Danger        bool
	Get           bool // opens a page with the selection instead of posting
}

// A ListSpec is what does not depend on the request.
type ListSpec struct {
	Name      string // of the preferences and the CSV file
	Title     string
	Noun      string // "users"
	Columns   []Column
	Filters   []Filter
	Searches  string // what the search looks at, for the placeholder; empty: no search
	Bulk      []Bulk
	BulkRight bool // whether the viewer may do any of it
}

// A State is what the URL says of a list.
type State struct {
	Path   string
	Q      string
	Filter map[string]string // by key, only those of the spec
	Sort   string
	Desc   bool
	Cursor string
	Size   int
	Chosen []string // columns
	CSV    bool
}

// A List is a list that is shown.
type List struct {
	ListSpec
	State
	Rows    []Row
	Total   int    // -1: unknown
	More    bool   // Total is a lower bound
	Next    string // cursor of the next page, empty on the last
	Empty   templ.Component
	Actions templ.Component // beside the title
	Beside  templ.Component // a second pane that the same search narrows
	Above   templ.Component // between the title and the search
	Asof    time.Time
}

// state reads what the URL says, and keeps page size and columns for the next
// time.
func (c *Console) state(req request, spec ListSpec) State {
	values := req.URL.Query()
	s := State{
		Path: req.URL.Path, Q: strings.TrimSpace(values.Get("q")), Filter: map[string]string{}, Cursor: values.Get("cursor"),
		Size: req.viewer.prefs.Size, Chosen: req.viewer.prefs.Columns[spec.Name], CSV: values.Get("format") == "csv",
	}
	for _, f := range spec.Filters {
		if v := values.Get(f.Key); v != "" {
			s.Filter[f.Key] = v
		}
	}
	s.Sort, s.Desc = strings.CutPrefix(values.Get("sort"), "-")
	if !slices.ContainsFunc(spec.Columns, func(col Column) bool { return col.Sort != "" && col.Sort == s.Sort }) {
		s.Sort, s.Desc = "", false
	}
	prefs, changed := req.viewer.prefs, false
	if n, err := strconv.Atoi(values.Get("size")); err == nil && slices.Contains(sizes, n) {
		changed = changed || prefs.Size != n
		s.Size, prefs.Size = n, n
	}
	if cols := values["cols"]; len(cols) > 0 {
		s.Chosen = strings.Split(strings.Join(cols, "."), ".")
		prefs.Columns[spec.Name], changed = s.Chosen, true
	}
	s.Chosen = slices.DeleteFunc(slices.Clone(s.Chosen), func(key string) bool {
		return !slices.ContainsFunc(spec.Columns, func(col Column) bool { return col.Key == key })
	})
	if len(s.Chosen) == 0 {
		for _, col := range spec.Columns {
			if col.Default {
				s.Chosen = append(s.Chosen, col.Key)
			}
		}
	}
	if changed {
		c.remember(req.w, prefs)
	}
	return s
}

// columns are those chosen, in the order of the spec.
func (l List) columns() []Column {
	return slices.DeleteFunc(slices.Clone(l.Columns), func(col Column) bool { return !slices.Contains(l.Chosen, col.Key) })
}

func (l List) shows(key string) bool { return slices.Contains(l.Chosen, key) }

// With is the address of the list with one part changed; an empty value takes
// the part out. Whatever is not the cursor begins at the first page again.
func (s State) With(key, value string) templ.SafeURL {
	v := s.values()
	if key != "cursor" {
		v.Del("cursor")
	}
	v.Del(key)
	if value != "" {
		v.Set(key, value)
	}
	return address(s.Path, v)
}

// Bare is the address of the list without search and filters.
func (s State) Bare() templ.SafeURL { return templ.SafeURL(s.Path) }

func (s State) values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("q", s.Q)
	for key, value := range s.Filter {
		set(key, value)
	}
	set("sort", s.sort())
	set("cursor", s.Cursor)
	return v
}

func (s State) sort() string {
	if s.Desc {
		return "-" + s.Sort
	}
	return s.Sort
}

// sortBy is the address of the list sorted by a column, turned round if it is
// already.
func (s State) sortBy(col Column) templ.SafeURL {
	if s.Sort == col.Sort && !s.Desc {
		return s.With("sort", "-"+col.Sort)
	}
	return s.With("sort", col.Sort)
}

// ariaSort says how a column is sorted (WAI-ARIA, aria-sort).
func (s State) ariaSort(col Column) string {
	switch {
	case col.Sort == "" || s.Sort != col.Sort:
		return "none"
	case s.Desc:
		return "descending"
	}
	return "ascending"
}

func address(path string, v url.Values) templ.SafeURL {
	if len(v) == 0 {
		return templ.SafeURL(path)
	}
	return templ.SafeURL(path + "?" + v.Encode())
}

// filtered reports whether the list shows less than all.
func (s State) filtered() bool { return s.Q != "" || len(s.Filter) > 0 }

// title names a filter's value for people.
func (f Filter) title(value string) string {
	for _, o := range f.Options {
		if o.Value == value {
			return o.Title
		}
	}
	return value
}

// list answers with the rows of a list, as a page or as CSV. Of a CSV that is
// asked for they must be all that match; [Console.csv] streams what is too much
// to hold.
func (c *Console) list(req request, l List) (templ.Component, error) {
	if l.CSV {
		c.csv(req, l, eachRow(l.Rows))
		return nil, nil //nolint:nilnil // the file is sent
	}
	l.Asof = c.Now()
	return c.frame(req, l.Title, listTemplate(l)), nil
}

// wantsPart reports whether htmx asks for a part of the page.
func wantsPart(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }
