package authz_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/usherd/usherd/authz"
	"go.yaml.in/yaml/v4"
)

const examples = "../deploy/examples"

func TestThePublishedSchemaIsCurrent(t *testing.T) {
	want, err := authz.SchemaText()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(examples, "policy.schema.json"))
	if err != nil || string(got) != string(want) {
		t.Errorf("policy.schema.json is not what SchemaText returns (%v): usherd policy schema > deploy/examples/policy.schema.json", err)
	}
}

// accepts reports whether a schema accepts a policy file.
func accepts(t *testing.T, s *jsonschema.Resolved, text []byte) error {
	t.Helper()
	var doc any
	if err := yaml.Load(text, &doc); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		t.Fatal(err)
	}
	return s.Validate(plain)
}

func TestTheSchemaAcceptsEveryExample(t *testing.T) {
	schema, err := authz.Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil || len(files) < 4 {
		t.Fatalf("there are examples %v, %v; want four and more", files, err)
	}
	seen := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "apiVersion: "+authz.APIVersion) {
			continue // not a policy
		}
		file, err := authz.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range file.Sections {
			seen[string(s)] = true
		}
		if err := accepts(t, schema, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := accepts(t, schema, authz.Export(file.Policy)); err != nil {
			t.Errorf("%s, exported: %v", name, err)
		}
	}
	if len(seen) < 6 {
		t.Errorf("the examples have the sections %v only", slices.Sorted(maps.Keys(seen)))
	}
}

// TestTheSchemaRefusesWhatParseRefuses and the other way round, in the shape.
func TestTheSchemaAgreesWithParse(t *testing.T) {
	schema, err := authz.Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{
		"apiVersion: usherd/v1":                                 true,
		"apiVersion: usherd/v2":                                 false,
		"features: []":                                          false,
		"apiVersion: usherd/v1\nfeatures:":                      false,
		"apiVersion: usherd/v1\ndefault_role:":                  false,
		"apiVersion: usherd/v1\nfeaturs: []":                    false,
		"apiVersion: usherd/v1\nfeatures: {a: b}":               false,
		"apiVersion: usherd/v1\nfeatures: [{key: a, titel: b}]": false,
		"apiVersion: usherd/v1\nfeatures: [{key: a, seat: {monthly: 4.00, currency: EUR}}]":                              true,
		"apiVersion: usherd/v1\nfeatures: [{key: a, seat: {monthly: 4.00, currency: euro}}]":                             false,
		"apiVersion: usherd/v1\nroles: [{name: r, rights: [audit.read], integration: {'*': viewer}}]":                    true,
		"apiVersion: usherd/v1\nroles: [{name: r, integration: {'*': reader}}]":                                          false,
		"apiVersion: usherd/v1\nmappings: [{name: m, when: {source: s, group: {dn: a=b, id: c}}, grant: {access: [a]}}]": false,
		"apiVersion: usherd/v1\nmappings: [{name: m, when: {source: s, group: {name: b}}, grant: [{access: [a]}]}]":      true,
		"apiVersion: usherd/v1\ntests: [{as: {groups: [a/b, {source: s, dn: a=b}]}, can: [\"access feature/a\"]}]":       true,
		"apiVersion: usherd/v1\ntests: [{as: {groups: [a]}, can: [\"access feature/a\"]}]":                               false,
		"apiVersion: usherd/v1\ntests: [{user: ann, can: [\"access\"]}]":                                                 false,
	} {
		_, perr := authz.Parse("p", []byte(text))
		serr := accepts(t, schema, []byte(text))
		if (perr == nil) != ok || (serr == nil) != ok {
			t.Errorf("%s\nParse = %v, Validate = %v; want both to accept it: %t", text, perr, serr, ok)
		}
	}
}
