package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v4"
)

// A column is one column of a table: its title and the member it shows, as a
// path: "last.result".
type column struct{ title, path string }

// never is what people see where a time is missing that they look for.
func (c column) never() string {
	switch c.path {
	case "lastLogin", "modified", "last_used", "since":
		return "--"
	}
	return ""
}

// columns reads "TITLE=path TITLE2=path2".
func columns(text string) []column {
	var cols []column
	for _, field := range strings.Fields(text) {
		title, path, _ := strings.Cut(field, "=")
		cols = append(cols, column{strings.ReplaceAll(title, "_", " "), path})
	}
	return cols
}

// print writes an answer in the format that was asked for. A list is
// {"items": […]}; in JSON and YAML it is printed as an array.
func (a *app) print(text json.RawMessage, cols []column) error {
	items, isList := listItems(text)
	switch a.format {
	case "json":
		if isList {
			text = items
		}
		_, err := fmt.Fprintf(a.stdout, "%s\n", text)
		return err
	case "yaml":
		if isList {
			text = items
		}
		return a.printYAML(text)
	case "csv":
		return a.printCSV(text, cols)
	}
	if isList {
		return a.printTable(items, cols)
	}
	return a.printPairs(text, cols)
}

// checkFormat refuses an unknown format before anything is done.
func (a *app) checkFormat() error {
	if slices.Contains([]string{"table", "json", "yaml", "csv"}, a.format) {
		return nil
	}
	return usage("-o %q is not one of table, json, yaml, csv", a.format)
}

func listItems(text json.RawMessage) (json.RawMessage, bool) {
	var l struct {
		Items json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(text, &l); err != nil || l.Items == nil {
		return nil, false
	}
	return l.Items, true
}

func (a *app) printYAML(text json.RawMessage) error {
	var v any
	if err := decodeNumbers(text, &v); err != nil {
		return err
	}
	var b bytes.Buffer
	enc, err := yaml.NewDumper(&b, yaml.WithIndent(2))
	if err != nil {
		return fmt.Errorf("printing YAML: %w", err)
	}
	if err := enc.Dump(plainNumbers(v)); err != nil {
		return fmt.Errorf("printing YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("printing YAML: %w", err)
	}
	_, err = a.stdout.Write(b.Bytes())
	return err
}

// printFile prints a configuration file, in JSON if that was asked for.
func (a *app) printFile(text []byte) error {
	if err := a.checkFormat(); err != nil {
		return err
	}
	if a.format == "json" {
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			return fmt.Errorf("reading the configuration: %w", err)
		}
		enc, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("printing JSON: %w", err)
		}
		text = append(enc, '\n')
	}
	_, err := a.stdout.Write(text)
	return err
}

// decodeNumbers decodes JSON and keeps numbers as they are written.
func decodeNumbers(text json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	}
	return v
}

// rows decodes an answer into one map a row; a single object is one row.
func rows(text json.RawMessage) ([]map[string]any, error) {
	if items, ok := listItems(text); ok {
		text = items
	}
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '[' {
		var list []map[string]any
		return list, decodeNumbers(text, &list)
	}
	one := map[string]any{}
	return []map[string]any{one}, decodeNumbers(text, &one)
}

// printPairs prints one object, a member a line, columns first.
func (a *app) printPairs(text json.RawMessage, cols []column) error {
	list, err := rows(text)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	for _, c := range cols {
		if value := cmp.Or(cell(list[0], c.path), c.never()); value != "" {
			fmt.Fprintf(w, "%s\t%s\n", strings.ToLower(c.title), value)
		}
	}
	return w.Flush()
}

func (a *app) printCSV(text json.RawMessage, cols []column) error {
	return writeCSV(a.stdout, text, cols, true)
}

// writeCSV writes the rows of an answer, after a row with titles if it is asked
// for.
func writeCSV(out io.Writer, text json.RawMessage, cols []column, head bool) error {
	list, err := rows(text)
	if err != nil {
		return err
	}
	w := csv.NewWriter(out)
	titles := make([]string, len(cols))
	for i, c := range cols {
		titles[i] = strings.ToLower(strings.ReplaceAll(c.title, " ", "_"))
	}
	if head {
		if err := w.Write(titles); err != nil {
			return err
		}
	}
	for _, row := range list {
		fields := cells(row, cols)
		for i, f := range fields {
			fields[i] = noFormula(f)
		}
		if err := w.Write(fields); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// noFormula keeps a spreadsheet from running what a directory named something.
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func cells(row map[string]any, cols []column) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = strings.NewReplacer("\t", " ", "\n", " ").Replace(cell(row, c.path))
	}
	return out
}

// cell is the member at path, as text.
func cell(v any, path string) string {
	for part := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[part]
	}
	return valueText(v)
}

func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if printable(v) {
			return v
		}
		return strconv.Quote(v)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = valueText(item)
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		return itemText(v)
	}
	return fmt.Sprint(v)
}

// printable reports whether s can be written to a terminal as it is: a name
// from a directory must not move the cursor.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) && r != '\n' })
}
