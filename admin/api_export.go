package admin

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// exportFormat says in which format a whole list is asked for: csv, json or
// jsonl; empty if only a page of it is.
func (c call) exportFormat(op operation) (string, error) {
	format := c.URL.Query().Get("format")
	if op.many == noList {
		return "", nil
	}
	if format == "" {
		for kind := range strings.SplitSeq(strings.Join(c.Header.Values("Accept"), ","), ",") {
			switch kind, _, _ = strings.Cut(strings.TrimSpace(kind), ";"); kind {
			case "text/csv":
				return "csv", nil
			case "application/jsonl", "application/x-ndjson":
				return "jsonl", nil
			case "application/json", "*/*":
				return "", nil
			}
		}
		return "", nil
	}
	if exportTypes[format] == "" {
		return "", badParameter("format", "must be csv, json or jsonl, not %q", format)
	}
	return format, nil
}

var exportTypes = map[string]string{
	"csv": "text/csv; charset=utf-8; header=present", "json": "application/json", "jsonl": "application/jsonl",
}

// export writes a whole list as it is read, page after page: what goes wrong
// after the beginning breaks the answer off.
func (a *API) export(w http.ResponseWriter, c call, op operation, f handler, format string) {
	out, err := newExporter(w, format, reflect.TypeOf(op.answer))
	if err != nil {
		a.write(w, a.failure(c, err))
		return
	}
	for first := true; ; first = false {
		page, err := f(c.paged(op, first))
		if err == nil && first {
			err = a.Service.NoteExport(c.Context(), c.by, strings.TrimPrefix(c.URL.Path, "/api/v1/"), c.filters()...)
		}
		if err == nil && first {
			err = out.begin()
		}
		if err == nil {
			err = out.page(page.body)
		}
		switch {
		case err != nil && first && !out.begun:
			a.write(w, a.failure(c, err))
			return
		case err != nil:
			a.Log.Warn("an export broke off", zap.String("request_id", c.id), zap.String("action", c.Pattern), zap.Error(err))
			panic(http.ErrAbortHandler) // so that nobody takes it for the whole
		}
		next, more := page.body.(interface{ next() string })
		if !more || next.next() == "" || op.many == whole {
			break
		}
		c = c.at(next.next())
	}
	if err := out.end(); err != nil {
		a.Log.Debug("writing an export", zap.Error(err))
	}
}

// paged asks for large pages.
func (c call) paged(op operation, first bool) call {
	q := c.URL.Query()
	if first {
		q.Del("cursor")
	}
	q.Del("limit")
	if op.many == cut {
		q.Set("limit", strconv.Itoa(maxPage))
	}
	return c.asking(q.Encode())
}

// filters are the names of the parameters that narrow a list.
func (c call) filters() []string {
	q := c.URL.Query()
	for _, name := range []string{"limit", "cursor", "format", "dry_run"} {
		q.Del(name)
	}
	names := slices.Sorted(maps.Keys(q))
	return names[:min(len(names), 20)]
}

func (c call) at(cursor string) call {
	q := c.URL.Query()
	q.Set("cursor", cursor)
	return c.asking(q.Encode())
}

func (c call) asking(query string) call {
	other := c.WithContext(c.Context())
	u := *c.URL
	u.RawQuery = query
	other.URL = &u
	c.Request = other
	return c
}

// An exporter writes rows in one format.
type exporter struct {
	w       http.ResponseWriter
	format  string
	columns []string
	csv     *csv.Writer
	begun   bool
	rows    int
}

func newExporter(w http.ResponseWriter, format string, answer reflect.Type) (*exporter, error) {
	items, ok := answer.FieldByName("Items")
	if !ok {
		return nil, fmt.Errorf("%v is no list", answer)
	}
	return &exporter{w: w, format: format, columns: columnsOf(items.Type.Elem()), csv: csv.NewWriter(w)}, nil
}

// columnsOf are the members of a row, in the order of its type.
func columnsOf(t reflect.Type) []string {
	s := newSchemas(false).object(t)
	return s.PropertyOrder
}

func (e *exporter) begin() error {
	e.begun = true
	e.w.Header().Set("Content-Type", exportTypes[e.format])
	e.w.WriteHeader(http.StatusOK)
	switch e.format {
	case "csv":
		return e.csv.Write(e.columns)
	case "json":
		_, err := io.WriteString(e.w, `{"items":[`)
		return err
	}
	return nil
}

func (e *exporter) page(body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding a page: %w", err)
	}
	var p struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("reading a page: %w", err)
	}
	for _, row := range p.Items {
		if err := e.row(row); err != nil {
			return err
		}
		e.rows++
	}
	e.csv.Flush()
	return e.csv.Error()
}

func (e *exporter) row(row json.RawMessage) error {
	switch e.format {
	case "csv":
		cells := decodedRow(row)
		fields := make([]string, len(e.columns))
		for i, name := range e.columns {
			fields[i] = noFormula(cellText(cells[name]))
		}
		return e.csv.Write(fields)
	case "json":
		if e.rows > 0 {
			row = append([]byte(","), row...)
		}
		_, err := e.w.Write(row)
		return err
	}
	_, err := e.w.Write(append(row, '\n'))
	return err
}

func (e *exporter) end() error {
	if e.format == "json" {
		_, err := io.WriteString(e.w, "]}\n")
		return err
	}
	return nil
}

// rowOf is what a row looks like in JSON.
func rowOf(row any) map[string]any {
	text, err := json.Marshal(row)
	if err != nil {
		return nil
	}
	return decodedRow(text)
}

func decodedRow(text []byte) map[string]any {
	var out map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		return nil
	}
	return out
}

// cellText is a value in one cell: a list of texts has semicolons, whatever has
// members is JSON.
func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = cellText(item)
		}
		return strings.Join(parts, "; ")
	case map[string]any:
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	}
	return fmt.Sprint(v)
}

// noFormula keeps a spreadsheet from running what a directory named something.
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
