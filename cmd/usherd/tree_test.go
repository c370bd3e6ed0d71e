package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"
)

// everyCommand yields the commands of the binary, cobra's own left out.
func everyCommand(cmd *cobra.Command, yield func(*cobra.Command)) {
	yield(cmd)
	for _, sub := range cmd.Commands() {
		if !slices.Contains([]string{"help", "completion"}, sub.Name()) {
			everyCommand(sub, yield)
		}
	}
}

func newRoot() *cobra.Command {
	a := &app{stdout: io.Discard, stderr: io.Discard, values: map[string]string{}}
	return a.root()
}

// parses reports what is wrong with a command line, without running it.
func parses(line string) error {
	cmd, rest, err := newRoot().Find(words(line)[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	return cmd.ValidateRequiredFlags()
}

// words splits a line as a shell does, as far as examples need it.
func words(line string) []string {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, " >")
	line, _, _ = strings.Cut(line, " | ")
	var out []string
	var word strings.Builder
	var quote rune
	begun := false
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun {
				out = append(out, word.String())
			}
			begun = false
			word.Reset()
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	return out
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	parsed := map[string]bool{} // groups of commands repeat the examples of theirs
	everyCommand(newRoot(), func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || len(cmd.Short) > 100 {
			t.Errorf("%s: Short is %q", path, cmd.Short)
		}
		for line := range strings.SplitSeq(cmd.Long, "\n") {
			if len([]rune(line)) > 80 {
				t.Errorf("%s: a line of Long is wider than 80: %q", path, line)
			}
		}
		if strings.TrimSpace(cmd.Example) == "" {
			t.Errorf("%s has no example", path)
		}
		whole := strings.ReplaceAll(cmd.Example, "\\\n", " ")
		named := false
		for line := range strings.SplitSeq(whole, "\n") {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "usherd") {
				continue
			}
			if !parsed[line] {
				if err := parses(line); err != nil {
					t.Errorf("%s: example %q: %v", path, line, err)
				}
			}
			parsed[line] = true
			named = named || strings.HasPrefix(line, path)
		}
		if !named && strings.TrimSpace(cmd.Example) != "" {
			t.Errorf("%s: no example is of the command itself:\n%s", path, cmd.Example)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" && !f.Hidden {
				t.Errorf("%s: flag --%s says nothing", path, f.Name)
			}
		})
	})
}

func TestATableFitsATerminal(t *testing.T) {
	t.Parallel()
	table := [][]string{
		{"USERNAME", "NAME", "TYPE", "GROUPS", "LAST LOGIN", "REASON"},
		{"ann.longname@department.example.com", "Ann with a very long display name indeed", "standard", "12", "--", ""},
		{"山田太郎@example.com", "山田太郎", "standard", "1", "--", ""},
	}
	for _, room := range []int{80, 60, 40, 20} {
		text := string(layOut(table, room, false))
		for line := range strings.Lines(text) {
			if n := cellsOf(strings.TrimSuffix(line, "\n")); n > room {
				t.Errorf("a line takes %d of %d columns: %s", n, room, line)
			}
		}
		if room < 80 && !strings.Contains(text, "…") {
			t.Errorf("nothing is cut at %d:\n%s", room, text)
		}
	}
	whole := string(layOut(table, 0, false))
	if strings.Contains(whole, "…") || !strings.Contains(whole, "REASON") || !strings.Contains(whole, "very long display name indeed") {
		t.Errorf("without a terminal something is left out:\n%s", whole)
	}
	if fitted := string(layOut(table, 80, true)); !strings.Contains(fitted, "ann.longname@department.example.com") || strings.Contains(fitted, "REASON") || !strings.HasPrefix(fitted, "\x1b[1mUSERNAME") {
		t.Errorf("80 wide:\n%s", fitted)
	}
}

// TestEveryListHasEveryFormat asks a daemon for each list that a command prints.
func TestEveryListHasEveryFormat(t *testing.T) {
	t.Parallel()
	d, _ := startDaemon(t)
	settle(t, d)
	newToken(t, d)
	data := d.cfg.Load().Data
	lists := 0
	everyCommand(newRoot(), func(cmd *cobra.Command) {
		if cmd.Name() != "list" && cmd.CommandPath() != "usherd sync status" {
			return
		}
		lists++
		words := append(strings.Fields(cmd.CommandPath())[1:], "--data", data, "-o")
		for format, valid := range map[string]func(string) bool{
			"json": func(s string) bool { return json.Valid([]byte(s)) && strings.HasPrefix(s, "[") },
			"yaml": func(s string) bool { var v []any; return yaml.Unmarshal([]byte(s), &v) == nil },
			"csv": func(s string) bool {
				all, err := csv.NewReader(strings.NewReader(s)).ReadAll()
				return err == nil && len(all) > 0
			},
			"table": func(s string) bool { return strings.ToUpper(s[:1]) == s[:1] },
		} {
			var out, talk strings.Builder
			a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &talk, environ: []string{"HOME=" + data}}
			if code := a.run(t.Context(), append(words, format)); code != exitOK || !valid(out.String()) {
				t.Errorf("%s -o %s exits with %d:\n%s%s", cmd.CommandPath(), format, code, talk.String(), out.String())
			}
		}
	})
	if lists < 12 {
		t.Errorf("only %d lists", lists)
	}
}
