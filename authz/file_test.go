package authz_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

var adSources = directory.PolicyFacts{Sources: []directory.Source{{Name: "corp-ad", State: directory.SourceActive}}}

func parse(t *testing.T, text string) *authz.File {
	t.Helper()
	f, err := authz.Parse("policy.yaml", []byte(text))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return f
}

func TestParseReadsTheDocumentedShape(t *testing.T) {
	text, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f := parse(t, string(text))
	want := directory.Policy{
		Projects:     []directory.Project{{Key: "alpha", Title: "Alpha tower"}},
		Features:     []directory.Feature{{Key: "part-list", Title: "Part list", Actions: []string{"edit", "export"}, Seat: &directory.Seat{Monthly: "4.00", Currency: "EUR"}}},
		Outputs:      []directory.Output{{Key: "cut-list-pdf", Title: "Cut list (PDF)", Feature: "part-list"}},
		Integrations: []directory.Integration{{Key: "aws-prod", Title: "AWS production"}},
		Resources:    []directory.ResourceType{{Type: "record", Actions: []string{"read", "write", "delete"}, IDs: []string{"record-1", "record-2"}}},
		Roles: []directory.Role{{
			Name: "releaser", Rights: []directory.Right{directory.IntegrationsUseAll},
			Privileges: []directory.Privilege{{Kind: directory.RolePrivilege, Key: "record:*:read"}},
		}},
		Mappings: []directory.Mapping{{
			Name: "engineers", When: directory.Selector{Source: "corp-ad", DN: "CN=Engineering,OU=Groups,DC=corp,DC=example"},
			Grants: []directory.GrantSet{
				{Roles: []directory.RoleName{"releaser"}, Privileges: []directory.Privilege{{Kind: directory.IntegrationLevel, Key: "aws-prod", Level: directory.Consumer}}},
				{Project: "alpha", Privileges: []directory.Privilege{
					{Kind: directory.Access, Key: "part-list"}, {Kind: directory.RolePrivilege, Key: "part-list:edit"}, {Kind: directory.OutputPrivilege, Key: "cut-list-pdf"},
				}},
			},
		}},
		Tests: f.Policy.Tests, // compared below
	}
	if diff := cmp.Diff(f.Policy, want); diff != "" {
		t.Errorf("Parse (-got +want):\n%s", diff)
	}
	wantTest := authz.Test{
		Line: 16, Column: 5, MadeUp: true, Groups: []directory.Selector{{Source: "corp-ad", Name: "Engineering"}}, Project: "alpha",
		Can:    []authz.TestAsk{{Action: "access", Type: "feature", ID: "part-list"}, {Action: "edit", Type: "feature", ID: "part-list"}},
		Cannot: []authz.TestAsk{{Action: "manage", Type: "integration", ID: "aws-prod"}},
	}
	if diff := cmp.Diff(f.Tests, []authz.Test{wantTest}); diff != "" {
		t.Errorf("Tests (-got +want):\n%s", diff)
	}
	wantSections := slices.DeleteFunc(slices.Clone(authz.Sections), func(s directory.Section) bool { return s == directory.SectionDefaultRole })
	if !slices.Equal(f.Sections, wantSections) {
		t.Errorf("Sections = %v, want %v", f.Sections, wantSections)
	}
	if err := f.Validate(adSources); err != nil {
		t.Errorf("Validate: %v", err)
	}
}

// faultsOf parses and validates; each line that is wanted must be a prefix of
// one fault.
func TestFaultsHaveAPlaceAndAHint(t *testing.T) {
	const catalogue = `apiVersion: usherd/v1
projects: [{key: alpha}]
features: [{key: part-list, actions: [edit]}]
outputs: [{key: pdf}]
integrations: [{key: aws}]
resources: {record: {actions: [read]}}
`
	for _, tt := range []struct {
		name string
		text string // after catalogue, unless it begins with apiVersion
		want string
	}{
		{
			"role and roles differ by a letter", "mappings: [{name: m, when: {source: corp-ad, group: {name: g}}, grant: {role: [viewer]}}]",
			`p:7:80: mappings[0].grant[0]: "viewer" is a Role, not a role privilege; did you mean roles: [viewer]?`,
		},
		{
			"an unknown key", "mappings: [{name: m, when: {source: corp-ad, gruop: {name: g}}, grant: {roles: [viewer]}}]",
			`p:7:46: mappings[0].when: unknown key "gruop"; did you mean "group"?`,
		},
		{"an unknown section", "mapping: []", `p:7:1: unknown key "mapping"; did you mean "mappings"?`},
		{"a section without anything, as of a file that was cut off", "mappings:", `p:7:10: mappings: is empty; write [] to remove all`},
		{"a null section", "tests: ~", `p:7:8: tests: is empty; write [] to remove all`},
		{"no default Role said", "default_role:", `p:7:14: default_role: is empty; write "" to have none`},
		{"an unknown right", "roles: [{name: r, rights: [user.manage]}]", `p:7:28: roles[0].rights[0]: unknown right "user.manage"; did you mean "users.manage"?`},
		{"an unknown feature", "roles: [{name: r, access: [partlist]}]", `p:7:28: roles[0]: unknown feature "partlist"; did you mean "part-list"?`},
		{"an unknown action", `roles: [{name: r, role: ["part-list:edti"]}]`, `p:7:26: roles[0]: the feature part-list declares no action "edti"; did you mean "edit"?`},
		{"access as an action", `roles: [{name: r, role: ["part-list:access"]}]`, `p:7:26: roles[0]: access is a privilege of its own kind; write access: [part-list]`},
		{"an unknown type", `roles: [{name: r, role: ["reocrd:*:read"]}]`, `p:7:26: roles[0]: unknown type "reocrd"; did you mean "record"?`},
		{"an unknown action of a type", `roles: [{name: r, role: ["record:*:write"]}]`, `p:7:26: roles[0]: the type record declares no action "write"`},
		{"a star as a part of an id", `roles: [{name: r, role: ["record:a*:read"]}]`, `p:7:26: roles[0]: "record:a*:read": * stands for every id and not for a part of one`},
		{"no role privilege", `roles: [{name: r, role: [read]}]`, `p:7:26: roles[0]: "read" is not a role privilege; write`},
		{"an unknown output", "roles: [{name: r, output: [pfd]}]", `p:7:28: roles[0]: unknown output "pfd"; did you mean "pdf"?`},
		{"an unknown integration", "roles: [{name: r, integration: {asw: viewer}}]", `p:7:33: roles[0]: unknown integration "asw"`},
		{"an unknown level", "roles: [{name: r, integration: {aws: veiwer}}]", `p:7:38: roles[0].integration.aws: level "veiwer" is not one of none, viewer, consumer, admin; did you mean "viewer"?`},
		{"a built-in Role's name", "roles: [{name: owner}]", `p:7:10: roles[0].name: the Role "owner" is built in; choose another name`},
		{"a Role twice", "roles: [{name: r}, {name: r}]", `p:7:21: roles[1].name: "r" is given twice, first as roles[0]`},
		{"a privilege twice", "roles: [{name: r, access: [part-list, part-list]}]", `p:7:39: roles[0]: "access part-list" is given twice`},
		{"an unknown default Role", "default_role: colaborator", `p:7:1: default_role: unknown Role "colaborator"; did you mean "collaborator"?`},
		{
			"an unknown source", "mappings: [{name: m, when: {source: corp-da, group: {name: g}}, grant: {roles: [viewer]}}]",
			`p:7:29: mappings[0].when.source: unknown source "corp-da"; did you mean "corp-ad"?`,
		},
		{
			"a source that is still to be added", "mappings: [{name: m, when: {source: entra, group: {name: g}}, grant: {roles: [viewer]}}]",
			`p:7:29: mappings[0].when.source: unknown source "entra"; it comes first: usherd source add entra --kind scim (or ldap)`,
		},
		{
			"an unknown Role", "mappings: [{name: m, when: {source: corp-ad, group: {name: g}}, grant: {roles: [veiwer]}}]",
			`p:7:81: mappings[0].grant[0].roles[0]: unknown Role "veiwer"; did you mean "viewer"?`,
		},
		{
			"an unknown project", "mappings: [{name: m, when: {source: corp-ad, group: {name: g}}, grant: {project: alhpa, access: [part-list]}}]",
			`p:7:73: mappings[0].grant[0].project: unknown project "alhpa"; did you mean "alpha"?`,
		},
		{
			"two selectors", "mappings: [{name: m, when: {source: corp-ad, group: {name: g, id: x}}, grant: {roles: [viewer]}}]",
			`p:7:46: mappings[0].when.group: want exactly one of dn, id, name and pattern`,
		},
		{
			"no selector", "mappings: [{name: m, when: {source: corp-ad}, grant: {roles: [viewer]}}]",
			`p:7:22: mappings[0].when.group: want exactly one of dn, id, name and pattern`,
		},
		{
			"no distinguished name", "mappings: [{name: m, when: {source: corp-ad, group: {dn: Engineering}}, grant: {roles: [viewer]}}]",
			`p:7:54: mappings[0].when.group.dn: "Engineering" is not a distinguished name`,
		},
		{"a mapping of nothing", "mappings: [{name: m, when: {source: corp-ad, group: {id: x}}}]", `p:7:12: mappings[0]: a mapping grants something`},
		{
			"an empty grant", "mappings: [{name: m, when: {source: corp-ad, group: {id: x}}, grant: {project: alpha}}]",
			`p:7:70: mappings[0].grant[0]: grants nothing`,
		},
		{
			"an organization right in a project", "mappings: [{name: m, when: {source: corp-ad, group: {id: x}}, grant: {project: alpha, roles: [viewer]}}]",
			`p:7:95: mappings[0].grant[0].roles[0]: the Role "viewer" holds an organization right, so it can only be granted organization-wide`,
		},
		{
			"administration by name without allow_admin", "mappings: [{name: m, when: {source: corp-ad, group: {pattern: adm-*}}, grant: {roles: [admin]}}]",
			`p:7:12: mappings[0]: the mapping follows names and gives an administration right; write allow_admin: true`,
		},
		{
			"administration by a custom Role's name", "roles: [{name: r, rights: [audit.read]}]\nmappings: [{name: m, when: {source: corp-ad, group: {name: adm}}, grant: {roles: [r]}}]",
			`p:8:12: mappings[0]: the mapping follows names and gives an administration right`,
		},
		{"an alias", "roles: &r [{name: r}]", `p:7:8: roles: anchors and aliases are not supported; write the value out`},
		{"a list that is none", "roles: {name: r}", `p:7:8: roles: want a list, got keys and values; write it as a list: [a, b]`},
		{"a key twice", "roles: []\nroles: []", `p:8:1: key "roles" is given twice, first in line 7`},
		{"a test without an ask", "tests: [{as: {groups: []}}]", `p:7:9: tests[0]: the test says nothing that can or cannot be done`},
		{"a test of two", `tests: [{as: {groups: []}, user: ann, can: ["access feature/part-list"]}]`, `p:7:9: tests[0]: a test has exactly one of as and user`},
		{"a test that asks what is unknown", `tests: [{user: ann, cannot: ["acess feature/part-list"]}]`, `p:7:30: tests[0].cannot[0]: "acess feature/part-list" can't be asked: unknown_action`},
		{"a test in an unknown project", `tests: [{user: ann, project: x, can: ["access feature/part-list"]}]`, `p:7:21: tests[0].project: "access feature/part-list" can't be asked: unknown_project`},
		{"a test of an unknown source", `tests: [{as: {groups: [da/x]}, can: ["access feature/part-list"]}]`, `p:7:24: tests[0].as.groups[0]: unknown source "da"; it comes first: usherd source add da`},
		{"a test that can't be read", `tests: [{user: ann, can: [part-list]}]`, `p:7:27: tests[0].can[0]: "part-list" does not say what is asked; write "action type/id"`},
		{"a reserved type", "apiVersion: usherd/v1\nresources: {user: {}}", `p:2:13: resources[0]: the type "user" is reserved`},
		{"a colon in a feature's key", "apiVersion: usherd/v1\nfeatures: [{key: 'a:b'}]", `p:2:13: features[0].key: "a:b" holds ':', which is not allowed here`},
		{"a feature twice", "apiVersion: usherd/v1\nfeatures: [{key: a}, {key: a}]", `p:2:23: features[1].key: "a" is given twice, first as features[0]`},
		{"a feature without a key", "apiVersion: usherd/v1\nfeatures: [{title: a}]", `p:2:12: features[0].key: is missing`},
		{"access declared", "apiVersion: usherd/v1\nfeatures: [{key: a, actions: [access]}]", `p:2:31: features[0].actions[0]: every feature has the action access`},
		{"no money", "apiVersion: usherd/v1\nfeatures: [{key: a, seat: {monthly: -1, currency: euro}}]", `p:2:28: features[0].seat.monthly: "-1" is not an amount of money`},
		{"the integration *", "apiVersion: usherd/v1\nintegrations: [{key: '*'}]", `p:2:17: integrations[0].key: "*" holds '*'`},
		{"an output of no feature", "apiVersion: usherd/v1\noutputs: [{key: o, feature: f}]", `p:2:20: outputs[0].feature: unknown feature "f"`},
		{"a control character", "apiVersion: usherd/v1\nprojects: [{key: \"a\\x07\"}]", `p:2:13: projects[0].key: holds the character U+0007`},
		{"another version", "apiVersion: usherd/v2", `p:1:13: apiVersion: "usherd/v2" is not a version that this program reads; write usherd/v1`},
		{"no version", "projects: []\napiVersio: x", `p:1:1: apiVersion: is missing`},
		{"no YAML", "apiVersion: [", `p:2:1: not YAML:`},
		{"nothing", "apiVersion: # nothing\n", `p:1:12: apiVersion: want a single value, got nothing`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.text
			if !strings.HasPrefix(text, "apiVersio") && tt.name != "no version" {
				text = catalogue + text
			}
			f, _ := authz.Parse("p", []byte(text))
			err := f.Validate(adSources)
			var faults authz.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("Validate = %v, want faults", err)
			}
			if !slices.ContainsFunc(faults, func(f authz.Fault) bool { return strings.HasPrefix(f.Error(), tt.want) }) {
				t.Errorf("Validate:\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

func TestAnEmptySectionIsManaged(t *testing.T) {
	f := parse(t, "apiVersion: usherd/v1\nmappings: []\nresources: {}\ndefault_role: ''\n")
	want := []directory.Section{directory.SectionResources, directory.SectionDefaultRole, directory.SectionMappings}
	if !slices.Equal(f.Sections, want) {
		t.Errorf("Sections = %v, want %v", f.Sections, want)
	}
	for _, s := range authz.Sections {
		if _, err := authz.Parse("p", []byte("apiVersion: usherd/v1\n"+string(s)+":\n")); err == nil {
			t.Errorf("Parse of a section %s that is null: no fault", s)
		}
	}
}

func TestAllFaultsComeAtOnce(t *testing.T) {
	f, err := authz.Parse("p", []byte(`apiVersion: usherd/v1
roles:
  - {name: a, rihgts: [x], role: [q:c]}
mapping: 3
mappings:
  - name: m
    when: {source: ad, group: {pattern: 'a*', name: b}}
    grant: {project: x, roles: [ownr]}
`))
	var own, all authz.Faults
	if !errors.As(err, &own) || !errors.As(f.Validate(directory.PolicyFacts{}), &all) {
		t.Fatalf("Parse = %v, want faults", err)
	}
	var lines []int
	for _, f := range all {
		lines = append(lines, f.Line)
	}
	if want := []int{3, 3, 4, 7, 7, 8, 8}; len(own) != 3 || !slices.Equal(lines, want) {
		t.Errorf("Parse has %d faults, Validate faults in lines %v, want 3 and %v:\n%v", len(own), lines, want, all)
	}
}

func TestAFileIsCheckedAgainstSectionsThatItLacks(t *testing.T) {
	current := directory.PolicyFacts{Sources: adSources.Sources, Policy: directory.Policy{
		Features: []directory.Feature{{Key: "part-list"}},
		Roles:    []directory.Role{{Name: "r", Privileges: []directory.Privilege{{Kind: directory.Access, Key: "part-list"}}}},
	}}
	fine := parse(t, "apiVersion: usherd/v1\nmappings: [{name: m, when: {source: corp-ad, group: {name: g}}, grant: {roles: [r], access: [part-list]}}]")
	if err := fine.Validate(current); err != nil {
		t.Errorf("Validate: %v", err)
	}
	if got := fine.Over(current.Policy); len(got.Roles) != 1 || len(got.Mappings) != 1 {
		t.Errorf("Over = %+v, want the store's Roles and the file's mappings", got)
	}
	removes := parse(t, "apiVersion: usherd/v1\nfeatures: [{key: other}]")
	err := removes.Validate(current)
	if err == nil || !strings.Contains(err.Error(), `unknown feature "part-list" (in the section roles, which this file does not manage)`) {
		t.Errorf("Validate = %v, want that the store's Role needs part-list", err)
	}
}

func TestAFeatureInThreePartsIsReadInTwo(t *testing.T) {
	f := parse(t, `{apiVersion: usherd/v1, features: [{key: f, actions: [edit]}], roles: [{name: r, role: ["feature:f:edit"]}]}`)
	if got := f.Policy.Roles[0].Privileges[0].Key; got != "f:edit" || f.Validate(adSources) != nil {
		t.Errorf("Parse reads %q and Validate says %v, want f:edit without a fault", got, f.Validate(adSources))
	}
}

func TestExportQuotesWhatOlderReadersTakeForMore(t *testing.T) {
	for text, quoted := range map[string]bool{
		"yes": true, "No": true, "on": true, "OFF": true, "y": true, "N": true, "0755": true, "1_000": true, "12:30": true, "0b11": true, "190:20:30": true,
		"yesterday": false, "none": false, "north": false, "alpha-1": false, "a:1": false, "x0b1": false,
	} {
		out := string(authz.Export(directory.Policy{Features: []directory.Feature{{Key: "f", Title: text}}}))
		if got := strings.Contains(out, `title: "`+text+`"`); got != quoted {
			t.Errorf("Export of the title %s:\n%swant quotes: %t", text, out, quoted)
		}
		if f := parse(t, out); f.Policy.Features[0].Title != text {
			t.Errorf("the title %s reads back as %q", text, f.Policy.Features[0].Title)
		}
	}
}

// randomText is a name, often an awkward one.
func randomText(t *rapid.T) string {
	return pick(t, "a", "b-1", "true", "null", "~", "1", "4.00", "x y", "é", "it's", `say "hi"`, "# no", "- a", "{a}", "a, b", "ünïcode ✓", "@x", "%y", "!z", "|", ">", "0x1F", "2001-01-01", "a: b", "a #b", "yes", "=", "<<")
}

func randomKeys(t *rapid.T, not string) []string {
	var out []string
	for _, key := range several(t, 4, func() string { return randomText(t) }) {
		if !slices.Contains(out, key) && !strings.ContainsAny(key, not) {
			out = append(out, key)
		}
	}
	return out
}

// canonicalPolicy is a random policy as Parse makes it.
func canonicalPolicy(t *rapid.T) directory.Policy {
	var p directory.Policy
	for _, key := range randomKeys(t, "*") {
		p.Projects = append(p.Projects, directory.Project{Key: directory.ProjectKey(key), Title: randomText(t)})
	}
	for _, key := range randomKeys(t, ":*") {
		f := directory.Feature{Key: key, Actions: randomKeys(t, ": *")}
		if chance(t, 50) {
			f.Seat = &directory.Seat{Monthly: pick(t, "4.00", "0", "12", "0.5"), Currency: "EUR"}
		}
		p.Features = append(p.Features, f)
	}
	for _, key := range randomKeys(t, "*") {
		p.Outputs = append(p.Outputs, directory.Output{Key: key, Feature: pick(t, "", "a")})
		p.Integrations = append(p.Integrations, directory.Integration{Key: key})
	}
	for _, key := range randomKeys(t, ": /*") {
		p.Resources = append(p.Resources, directory.ResourceType{Type: key, Actions: randomKeys(t, ": *"), IDs: randomKeys(t, "*")})
	}
	for _, key := range randomKeys(t, "") {
		r := directory.Role{Name: directory.RoleName(key), Title: pick(t, "", "A title"), Privileges: canonicalPrivileges(t)}
		if chance(t, 50) {
			r.Rights = []directory.Right{directory.AuditRead, directory.ManageSyncs}
		}
		p.Roles = append(p.Roles, r)
	}
	p.DefaultRole = directory.RoleName(pick(t, "", "viewer", "null"))
	for _, key := range randomKeys(t, "") {
		m := directory.Mapping{Name: key, When: randomSelector(t), AllowAdmin: chance(t, 50)}
		for range 1 + rapid.IntRange(0, 1).Draw(t, "more") {
			m.Grants = append(m.Grants, directory.GrantSet{
				Project: directory.ProjectKey(pick(t, "", "a", "null")), Roles: []directory.RoleName{"viewer", "~"}, Privileges: canonicalPrivileges(t),
			})
		}
		p.Mappings = append(p.Mappings, m)
	}
	if chance(t, 50) {
		p.Tests = "- {as: {groups: [corp-ad/Engineering, {source: ad, dn: 'cn=x, dc=y'}]}, can: [access feature/part-list]}\n- {user: null, project: 'null', cannot: [edit feature/#x]}\n"
		p.Tests = strings.Replace(p.Tests, "user: null", "user: 'null'", 1)
	}
	return p
}

func canonicalPrivileges(t *rapid.T) (out []directory.Privilege) {
	for _, kind := range []directory.PrivilegeKind{directory.Access, directory.RolePrivilege, directory.OutputPrivilege, directory.IntegrationLevel} {
		for _, key := range randomKeys(t, "") {
			p := directory.Privilege{Kind: kind, Key: key}
			if kind == directory.IntegrationLevel {
				p.Level = pick(t, directory.NoLevel, directory.Admin)
			}
			out = append(out, p)
		}
	}
	return out
}

func TestExportRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := canonicalPolicy(t)
		text := authz.Export(p)
		f, err := authz.Parse("p", text)
		if err != nil {
			t.Fatalf("Parse(Export(p)): %v\n%s", err, text)
		}
		if diff := cmp.Diff(f.Policy, p); diff != "" {
			t.Fatalf("Parse(Export(p)) (-got +want):\n%s\n%s", diff, text)
		}
		if again := authz.Export(f.Policy); !bytes.Equal(again, text) {
			t.Fatalf("Export is not stable:\n%s\n%s", text, again)
		}
	})
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("apiVersion: usherd/v1\nroles: [{name: r, integration: {x: admin}}]\ntests: [{user: a, can: [a b/c]}]"))
	f.Add([]byte("a: &a [*a]\n? {b: c}\n: d\n<<: *a"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := authz.Parse("p", text)
		if again := file.Validate(adSources); err != nil && again == nil {
			t.Fatalf("Parse finds %v, Validate nothing", err)
		}
		if err != nil {
			return
		}
		out := authz.Export(file.Policy)
		back, err := authz.Parse("p", out)
		if err != nil {
			t.Fatalf("Parse(Export(p)): %v\n%s", err, out)
		}
		if diff := cmp.Diff(back.Policy, file.Policy); diff != "" {
			t.Fatalf("Parse(Export(p)) (-got +want):\n%s\n%s", diff, out)
		}
		authz.Compile(directory.Facts{Policy: directory.PolicyFacts{Policy: file.Policy}})
	})
}

func TestManyFaultsAreNoTrouble(t *testing.T) {
	var b strings.Builder
	b.WriteString("apiVersion: usherd/v1\nmappings:\n")
	for i := range 2_000 {
		fmt.Fprintf(&b, "- {name: m%d, when: {source: x, group: {name: g}}, grant: {roles: [r%d]}}\n", i, i)
	}
	f := parse(t, b.String())
	var faults authz.Faults
	if !errors.As(f.Validate(adSources), &faults) || len(faults) != 4_000 {
		t.Errorf("Validate has %d faults, want 4000", len(faults))
	}
}
