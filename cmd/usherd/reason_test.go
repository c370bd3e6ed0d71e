package main

import (
	"os"
	"strings"
	"testing"
)

func TestAReasonIsOneLineOfText(t *testing.T) {
	for _, text := range []string{"a\x1b[31m\r\n", "a\nb", "a\tb", "a\x7f", "\u0085", "\xff", strings.Repeat("a", 501)} {
		if err := checkReason(text); exitCode(err) != 2 || !strings.Contains(err.Error(), "--reason is") {
			t.Errorf("checkReason(%q) = %v; want wrong usage", text, err)
		}
	}
	for _, text := range []string{"", "lost laptop", "Gerät verloren; siehe #12", strings.Repeat("a", 500)} {
		if err := checkReason(text); err != nil {
			t.Errorf("checkReason(%q) = %v", text, err)
		}
	}
}

func TestACheckpointIsReadAsItIsPrinted(t *testing.T) {
	hash := strings.Repeat("6b", 32)
	for claim, text := range map[string]string{
		"as text":           "12:" + hash + "\n",
		"as JSON":           `{"revision":12,"hash":"` + hash + `","time":"2026-01-31T12:00:00Z","checkpoint":"12:` + hash + `"}`,
		"as indented JSON":  "{\n  \"revision\": 12,\n  \"checkpoint\": \"12:" + hash + "\"\n}\n",
		"the last of texts": "3:" + hash + "\n12:" + hash,
		"the last of both":  "3:" + hash + "\n{\"checkpoint\":\"12:" + hash + "\"}\n",
	} {
		file := t.TempDir() + "/checkpoint"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := readCheckpoint(file)
		if err != nil || p.Seq != 12 || p.Hash.String() != hash {
			t.Errorf("a file with it %s = %v, %v", claim, p, err)
		}
		if p, err = readCheckpoint(text); err != nil || p.Seq != 12 {
			t.Errorf("it %s = %v, %v", claim, p, err)
		}
	}
	for _, text := range []string{"{}", "nonsense", `{"checkpoint":5}`, "}", "0:" + hash, "12:zz"} {
		if p, err := readCheckpoint(text); err == nil {
			t.Errorf("readCheckpoint(%q) = %v; want an error", text, p)
		}
	}
}
