package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// asJSON reads a YAML file as a JSON Schema validator wants it.
func asJSON(t *testing.T, path string) any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Load(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchemaAcceptsWhatLoads(t *testing.T) {
	schema, err := Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(asJSON(t, "testdata/good/full.yaml")); err != nil {
		t.Errorf("Validate(full.yaml) = %v", err)
	}
	// What a schema can know, it refuses; the rest is Load's.
	for _, name := range []string{"unknown-key", "unknown-nested-key", "wrong-version", "no-version", "bad-level", "literal-secret", "threshold-percent", "ldap-template", "bare-number-duration", "value-for-a-list-of-blocks", "value-for-a-block"} {
		path := filepath.Join("testdata/bad", name+".yaml")
		if err := schema.Validate(asJSON(t, path)); err == nil {
			t.Errorf("Validate(%s) = nil, want an error", path)
		}
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	var visit func(reflect.Type, string)
	visit = func(b reflect.Type, path string) {
		for _, f := range fieldsOf(b) {
			at := join(path, f.key)
			if !strings.HasSuffix(f.doc, ".") && !strings.HasSuffix(f.doc, "…") {
				t.Errorf("%s: doc %q is not a sentence", at, f.doc)
			}
			if f.def != "" {
				if err := f.setText(reflect.New(f.typ).Elem(), f.def); err != nil {
					t.Errorf("%s: default %q: %v", at, f.def, err)
				}
			}
			if inner, suffix, ok := f.inner(); ok {
				visit(inner, at+suffix)
			}
		}
	}
	visit(reflect.TypeFor[Config](), "")
}

func TestReferenceIsCurrent(t *testing.T) {
	golden(t, "../docs/configuration.md", Reference())
}

func TestPublishedSchemaIsCurrent(t *testing.T) {
	text, err := json.MarshalIndent(Schema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../docs/usherd.schema.json", string(text)+"\n")
}

// golden compares got with a file; go test -update writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the program says; run go test ./config -update", path)
	}
}
