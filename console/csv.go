package console

import (
	"encoding/csv"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// csv streams rows as they come, in constant memory.
func (c *Console) csv(req request, l List, rows iter.Seq2[Row, error]) {
	if err := c.noteExport(req, l); err != nil {
		c.fail(req.w, req.Request, req.viewer, err)
		return
	}
	h := req.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.csv"`, l.Name, c.Now().UTC().Format("20060102-1504")))
	out := csv.NewWriter(req.w)
	columns := l.columns()
	if req.URL.Query().Get("all") != "" {
		columns = slices.Clone(l.Columns)
	}
	columns = slices.DeleteFunc(columns, func(col Column) bool { return col.Here })
	head := make([]string, len(columns))
	for i, col := range columns {
		head[i] = col.Title
	}
	_ = out.Write(head) // the writer keeps its first error
	n := 0
	for row, err := range rows {
		if err != nil {
			// The status is sent: breaking off is the only way left to say that
			// the file is not whole.
			c.Log.Warn("listing for CSV", zap.String("action", req.Pattern), zap.Error(err))
			panic(http.ErrAbortHandler)
		}
		line := make([]string, len(columns))
		for i, col := range columns {
			line[i] = inert(row.Cells[col.Key].plain())
		}
		_ = out.Write(line)
		if n++; n%500 == 0 {
			out.Flush()
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		c.Log.Debug("writing CSV", zap.Error(err))
	}
}

// noteExport leaves an audit record of a list that is read as a whole: who,
// which, and the names of the filters.
func (c *Console) noteExport(req request, l List) error {
	filters := slices.Sorted(maps.Keys(l.Filter))
	if l.Q != "" {
		filters = append(filters, "q")
	}
	return c.Service.NoteExport(req.Context(), req.by, strings.TrimPrefix(l.Path, "/"), filters...)
}

// inert keeps spreadsheets from taking a name for a formula.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}
