package main

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"
	"golang.org/x/text/width"
)

const (
	columnGap   = 2
	leastColumn = 5 // what is left of a column that is cut
)

// printTable prints a list. A terminal gets lines that fit, long values cut; a
// pipe or a file gets all.
func (a *app) printTable(items json.RawMessage, cols []column) error {
	list, err := rows(items)
	if err != nil {
		return err
	}
	table := make([][]string, 1, len(list)+1)
	for _, c := range cols {
		table[0] = append(table[0], c.title)
	}
	for _, row := range list {
		fields := cells(row, cols)
		for i, c := range cols {
			fields[i] = cmp.Or(fields[i], c.never())
		}
		table = append(table, fields)
	}
	room := a.terminalWidth()
	_, err = a.stdout.Write(layOut(table, room, a.coloured(room > 0)))
	return err
}

// terminalWidth is how many columns standard output has; 0 if it is no terminal.
func (a *app) terminalWidth() int {
	file, ok := a.stdout.(*os.File)
	if !ok || !isatty.IsTerminal(file.Fd()) {
		return 0
	}
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return 80
	}
	return int(size.Col)
}

// coloured reports whether a terminal gets bold titles (https://no-color.org).
func (a *app) coloured(terminal bool) bool {
	return terminal && !a.plain && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
}

// layOut writes a table whose first row holds the titles into lines of at most
// room columns; 0 is no limit.
func layOut(table [][]string, room int, bold bool) []byte {
	widths := fit(table, room)
	var b strings.Builder
	for i, row := range table {
		line := layRow(row, widths)
		if room > 0 {
			line = cut(line, room)
		}
		if i == 0 && bold {
			line = "\x1b[1m" + line + "\x1b[0m"
		}
		b.WriteString(line + "\n")
	}
	return []byte(b.String())
}

func layRow(row []string, widths []int) string {
	var b strings.Builder
	for i, field := range row {
		if widths[i] == 0 {
			continue
		}
		field = cut(field, widths[i])
		b.WriteString(field + strings.Repeat(" ", widths[i]-cellsOf(field)+columnGap))
	}
	return strings.TrimRight(b.String(), " ")
}

// fit finds the widths of the columns. Where there is not enough room, columns
// that say nothing are left out, and then the widest are cut; what a thing is
// called by, the first column and ids, last.
func fit(table [][]string, room int) []int {
	widths := make([]int, len(table[0]))
	said := make([]bool, len(widths))
	for i, row := range table {
		for c, field := range row {
			widths[c] = max(widths[c], cellsOf(field))
			said[c] = said[c] || i > 0 && field != "" && field != "--"
		}
	}
	if room <= 0 || total(widths) <= room {
		return widths
	}
	for c := range widths {
		if !said[c] && len(table) > 1 {
			widths[c] = 0
		}
	}
	var names, rest []int
	for c, title := range table[0] {
		if c == 0 || title == "ID" {
			names = append(names, c)
		} else {
			rest = append(rest, c)
		}
	}
	shrink(widths, rest, room)
	shrink(widths, names, room)
	return widths
}

// shrink takes from the widest of the columns until all fit.
func shrink(widths, columns []int, room int) {
	for over := total(widths) - room; over > 0 && len(columns) > 0; over-- {
		widest := slices.MaxFunc(columns, func(a, b int) int { return cmp.Compare(widths[a], widths[b]) })
		if widths[widest] <= leastColumn {
			return
		}
		widths[widest]--
	}
}

func total(widths []int) int {
	sum := -columnGap
	for _, w := range widths {
		if w > 0 {
			sum += w + columnGap
		}
	}
	return sum
}

// cut shortens a text to so many columns of a terminal.
func cut(s string, most int) string {
	if cellsOf(s) <= most {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeCells(r); used > most-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// cellsOf is how many columns of a terminal a text takes.
func cellsOf(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
