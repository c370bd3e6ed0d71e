package usherd_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/usherd/usherd"

// mayImport is the architecture: for each package, the packages of this module
// that its non-test files may import. Add no arrow without a sentence in the
// commit that says why. Package cmd/usherd may import anything.
var mayImport = map[string][]string{
	"":                  {},
	"directory":         {},
	"config":            {},
	"audit":             {},
	"client":            {},
	"authz":             {"directory"},
	"authz/authzen":     {"authz", "directory"},
	"authz/extauthz":    {"authz", "authz/authzen", "directory"},
	"authz/watch":       {"directory"},
	"scim":              {"directory", "scim/filter"},
	"scim/filter":       {"directory"},
	"scim/provider":     {},
	"ldapsync":          {"directory"},
	"ldapsync/ldaptest": {},
	"cache":             {"directory"},
	"cache/cachetest":   {},
	"store":             {"directory", "audit"},
	"store/storetest":   {"directory"},
	"admin":             {"directory", "authz", "audit", "webhook"},
	"webhook":           {"directory"},
	"console":           {"admin", "authz", "directory"},
	"console/oidctest":  {},
	"deploy":            {},
}

const wiring = "cmd/usherd" // the one package that may import everything

// forbidden are modules that no file imports, tests included.
var forbidden = map[string]string{
	"github.com/stretchr/testify": "compare with == or go-cmp, and say what was called, got and wanted",
	"github.com/pkg/errors":       "wrap with fmt.Errorf and %w",
	"github.com/golang/mock":      "use the real thing, or a function of five lines",
	"go.uber.org/mock":            "use the real thing, or a function of five lines",
	"C":                           "the daemon is one static binary: no cgo",
}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath   string
	Name         string
	Imports      []string
	TestImports  []string
	XTestImports []string
	CgoFiles     []string
}

// name is the path of p inside the module; the root's is "".
func (p pkg) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Imports,TestImports,XTestImports,CgoFiles", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		all = append(all, p)
	}
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	for _, p := range packages(t) {
		allowed, known := mayImport[p.name()]
		if p.name() == wiring || strings.HasPrefix(p.name(), wiring+"/") {
			continue
		}
		if !known {
			t.Errorf("package %q is not in mayImport: say in house_test.go what it may import", p.name())
			continue
		}
		for _, imp := range p.Imports {
			own, ok := strings.CutPrefix(imp, module+"/")
			if ok && !slices.Contains(allowed, own) {
				t.Errorf("package %q imports %q; it may import %q", p.name(), own, allowed)
			}
		}
	}
}

func TestForbiddenImportsAreAbsent(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.CgoFiles) > 0 {
			t.Errorf("package %q uses cgo in %v", p.name(), p.CgoFiles)
		}
		for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for bad, instead := range forbidden {
				if imp == bad || strings.HasPrefix(imp, bad+"/") {
					t.Errorf("package %q imports %s: %s", p.name(), imp, instead)
				}
			}
		}
	}
}

// file is one parsed Go file of the module.
type file struct {
	path string // slash-separated, from the root
	ast  *ast.File
	fset *token.FileSet
}

func (f file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// files parses every Go file of the module; nested modules and testdata are not
// part of it.
func files(t *testing.T) []file {
	t.Helper()
	var all []file
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(path, d)
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, file{filepath.ToSlash(path), parsed, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// enter decides whether a folder holds files of this module.
func enter(path string, d fs.DirEntry) error {
	if path == "." {
		return nil
	}
	if d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func TestEveryPackageHasOneDoc(t *testing.T) {
	docs := map[string][]string{} // folder → its files with a package doc
	for _, f := range files(t) {
		if f.isTest() {
			continue
		}
		dir := filepath.ToSlash(filepath.Dir(f.path))
		if _, ok := docs[dir]; !ok {
			docs[dir] = nil
		}
		if f.ast.Doc == nil || ast.IsGenerated(f.ast) {
			continue
		}
		docs[dir] = append(docs[dir], f.path)
		want := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			want = "Command "
		}
		if text := f.ast.Doc.Text(); !strings.HasPrefix(text, want) {
			t.Errorf("%s: package doc begins %.40q, want %q", f.path, text, want+"…")
		}
	}
	for dir, with := range docs {
		if len(with) != 1 {
			t.Errorf("package %q has %d package docs %v, want 1", dir, len(with), with)
		}
	}
}

var vague = regexp.MustCompile(`(?i)^(utils?|helpers?|common|misc|shared|types|models?)(_test)?$`)

func TestNoVagueNames(t *testing.T) {
	for _, f := range files(t) {
		base := strings.TrimSuffix(filepath.Base(f.path), ".go")
		if vague.MatchString(base) || vague.MatchString(f.ast.Name.Name) {
			t.Errorf("%s (package %s): name it for its subject, or give the code to its caller", f.path, f.ast.Name.Name)
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, f := range files(t) {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init: wire it where it is used", f.at(fn))
			}
		}
	}
}

func TestTestsDoNotSleep(t *testing.T) {
	for _, f := range files(t) {
		if !f.isTest() && !strings.Contains(filepath.Dir(f.path), "test") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Sleep" {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && !usesSynctest(f.ast) {
				t.Errorf("%s: time.Sleep in a test: wait for a condition, or use testing/synctest", f.at(sel))
			}
			return true
		})
	}
}

// usesSynctest reports whether time is fake in f, so that a sleep takes none.
func usesSynctest(f *ast.File) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
}

var (
	replaces  = regexp.MustCompile(`(?m)^\s*replace\b`)
	toolchain = regexp.MustCompile(`(?m)^\s*toolchain\b`)
)

func TestGoMod(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "module "+module+"\n") {
		t.Errorf("go.mod does not begin with module %s", module)
	}
	if replaces.Match(text) {
		t.Error("go.mod has a replace: whoever installs the module would build something else")
	}
	if toolchain.Match(text) {
		t.Error("go.mod pins a toolchain: the go line is enough")
	}
}
