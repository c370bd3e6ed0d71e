package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is, as what is wanted, into testdata and docs")

// testEnviron is all that the tests see of an environment. The credentials
// folder holds the file PW.
var testEnviron = []string{"TESTPW=correct horse", "EMPTY=", "CREDENTIALS_DIRECTORY=" + here("testdata/credentials")}

// here is path from the root, wherever a test goes.
func here(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return abs
}

// TestBadFiles loads every file of testdata/bad and compares all its faults
// with the file of the same name that ends in .want.
func TestBadFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(paths) < 30 {
		t.Fatalf("Glob = %d files, %v; want 30 or more", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			c, err := Load(LoadOptions{Path: path, Environ: testEnviron})
			if err == nil || c != nil {
				t.Fatalf("Load(%s) = %v, %v, want nil and an error", path, c, err)
			}
			got := strings.ReplaceAll(err.Error(), path, "FILE") + "\n"
			if strings.Contains(got, "hunter2") {
				t.Errorf("Load(%s) repeats a password: %s", path, got)
			}
			wantPath := strings.TrimSuffix(path, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(wantPath, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wantPath)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("Load(%s) =\n%swant\n%s", path, got, want)
			}
		})
	}
}
