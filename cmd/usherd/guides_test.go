package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheGuidesNameRealCommands: every command of the guides to directories is
// one of this binary, with flags and arguments that it takes.
func TestTheGuidesNameRealCommands(t *testing.T) {
	t.Parallel()
	guides, err := filepath.Glob("../../docs/connect-*.md")
	if err != nil || len(guides) < 3 {
		t.Fatalf("guides: %v, %v", guides, err)
	}
	inText := regexp.MustCompile("`(usherd [^`]+)`")
	for _, guide := range guides {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		var commands []string
		code := false
		for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
			line = strings.TrimSpace(line)
			if code = code != (line == "```"); code && strings.HasPrefix(line, "usherd ") {
				commands = append(commands, line)
			}
			for _, found := range inText.FindAllStringSubmatch(line, -1) {
				commands = append(commands, found[1])
			}
		}
		if len(commands) < 3 {
			t.Errorf("%s: only %q", guide, commands)
		}
		for _, command := range commands {
			a := &app{values: map[string]string{}}
			cmd, rest, err := a.root().Find(strings.Fields(command)[1:])
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil && !cmd.Runnable() {
				err = os.ErrInvalid
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(guide), command, err)
			}
		}
	}
}
