package admin_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"go.uber.org/zap"
)

func TestTheDocumentIsTheRoutes(t *testing.T) {
	api := &admin.API{}
	if have, want := admin.OperationPatterns(), api.Patterns(); !slices.Equal(have, want) {
		for _, p := range want {
			if !slices.Contains(have, p) {
				t.Errorf("route %s has no operation: describe it in openapi_table.go", p)
			}
		}
		for _, p := range have {
			if !slices.Contains(want, p) {
				t.Errorf("operation %s is no route", p)
			}
		}
	}
}

// TestTheDocumentIsCommitted keeps docs/openapi.json what the routes and types
// say. Run with -update and read the difference: members may come, none may go.
func TestTheDocumentIsCommitted(t *testing.T) {
	text, err := (&admin.API{}).Document().JSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("..", "docs", "openapi.json")
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil { //nolint:gosec // it is public
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, text) {
		t.Errorf("docs/openapi.json is not what the routes and types say: go test ./admin -run TheDocumentIsCommitted -update, and read the difference")
	}
}

func TestEveryReferenceAndParameterIsThere(t *testing.T) {
	text, err := (&admin.API{}).Document().JSON()
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Paths map[string]map[string]struct {
			ID         string `json:"operationId"`
			Summary    string `json:"summary"`
			Parameters []struct {
				Name   string         `json:"name"`
				In     string         `json:"in"`
				Schema map[string]any `json:"schema"`
			} `json:"parameters"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			if ids[op.ID] || op.ID == "" || op.Summary == "" {
				t.Errorf("%s %s: operationId %q must be unique, and the summary %q said", method, path, op.ID, op.Summary)
			}
			ids[op.ID] = true
			for _, p := range op.Parameters {
				if p.In == "path" != strings.Contains(path, "{"+p.Name+"}") || p.Schema["type"] == "" || p.Schema["type"] == nil {
					t.Errorf("%s %s: parameter %+v", method, path, p)
				}
			}
		}
	}
	for rest := string(text); ; {
		_, after, ok := strings.Cut(rest, `"$ref": "#/components/schemas/`)
		if !ok {
			break
		}
		name, tail, _ := strings.Cut(after, `"`)
		if rest = tail; d.Components.Schemas[name] == nil {
			t.Errorf("nothing is called %s", name)
		}
	}
}

func TestTheDocumentIsServedToEverybody(t *testing.T) {
	mux := http.NewServeMux()
	(&admin.API{Log: zap.NewNop()}).RegisterDocument(mux)
	for path, want := range map[string]string{admin.DocumentPath: `"openapi": "3.1.0"`, "/docs/api": "List users"} {
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("GET %s = %d, without %q", path, rec.Code, want)
		}
		if n := strings.Count(rec.Body.String(), "<script"); n > 1 || n == 1 && !strings.Contains(rec.Header().Get("Content-Security-Policy"), "script-src 'sha256-") {
			t.Errorf("GET %s has %d scripts, of which the policy does not name one by its hash", path, n)
		}
	}
}
