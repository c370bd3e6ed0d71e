package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/usherd/usherd/admin"
)

// A caller speaks JSON over HTTP with one token.
type caller struct {
	base, token, media string
}

// do sends one request and decodes the answer into into, if that is set.
func (c *caller) do(ctx context.Context, method, path string, body, into any) (int, error) {
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("encoding: %w", err)
		}
		send = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, send)
	if err != nil {
		return 0, fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", c.media)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("asking: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return resp.StatusCode, fmt.Errorf("reading the answer: %w", err)
	}
	if resp.StatusCode >= 300 {
		return resp.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	if into == nil || len(text) == 0 {
		return resp.StatusCode, nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return resp.StatusCode, fmt.Errorf("decoding the answer: %w", err)
	}
	return resp.StatusCode, nil
}

// A demoPerson is somebody whom the identity provider pushes.
type demoPerson struct{ UserName, Given, Family string }

// A demoGroup is a group with its members by userName.
type demoGroup struct {
	Name    string
	ID      string // externalId; may be empty
	Members []string
}

// The organization of the demo.
var (
	demoPeople = []demoPerson{
		{"ann@example.com", "Ann", "Archer"},
		{"ben@example.com", "Ben", "Baker"},
		{"cleo@example.com", "Cleo", "Carter"},
		{"dan@example.com", "Dan", "Dyer"},
	}
	demoGroups = []demoGroup{
		{"Engineering", "", []string{"ann@example.com", "ben@example.com"}},
		{"Workshop", "", []string{"cleo@example.com"}},
		{"Alpha leads", "", []string{"ann@example.com"}},
	}
)

// push does what Okta does: look for each person, make those that are not
// there, make the groups, and add the members by PATCH.
func (s *demonstration) push(ctx context.Context) error {
	return s.pushAll(ctx, demoPeople, demoGroups)
}

func (s *demonstration) pushAll(ctx context.Context, people []demoPerson, groups []demoGroup) error {
	s.say("\n2. The identity provider pushes %d people and %d groups", len(people), len(groups))
	for _, p := range people {
		if err := s.pushPerson(ctx, p.UserName, p.Given, p.Family); err != nil {
			return err
		}
	}
	for _, g := range groups {
		if err := s.pushGroup(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func (s *demonstration) pushPerson(ctx context.Context, userName, given, family string) error {
	filter := url.Values{"filter": {fmt.Sprintf("userName eq %q", userName)}, "startIndex": {"1"}, "count": {"100"}}
	var found struct{ TotalResults int }
	if _, err := s.scim.do(ctx, http.MethodGet, "/Users?"+filter.Encode(), nil, &found); err != nil {
		return err
	}
	var made struct{ ID string }
	_, err := s.scim.do(ctx, http.MethodPost, "/Users", map[string]any{
		"schemas":  []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
		"userName": userName, "externalId": "00u-" + given, "displayName": given + " " + family, "active": true,
		"name":   map[string]any{"givenName": given, "familyName": family},
		"emails": []any{map[string]any{"value": userName, "type": "work", "primary": true}},
	}, &made)
	if err != nil {
		return err
	}
	s.ids[userName] = made.ID
	s.say("   GET  /Users?filter=userName eq %q → %d; POST /Users → %s", userName, found.TotalResults, made.ID)
	return nil
}

func (s *demonstration) pushGroup(ctx context.Context, g demoGroup) error {
	body := map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.Name, "members": []any{},
	}
	if g.ID != "" {
		body["externalId"] = g.ID
	}
	var made struct{ ID string }
	if _, err := s.scim.do(ctx, http.MethodPost, "/Groups", body, &made); err != nil {
		return err
	}
	s.ids[g.Name] = made.ID
	var values []any
	for _, m := range g.Members {
		values = append(values, map[string]any{"value": s.ids[m]})
	}
	if len(values) > 0 {
		if err := s.patch(ctx, "/Groups/", g.Name, map[string]any{"op": "add", "path": "members", "value": values}); err != nil {
			return err
		}
	}
	s.say("   POST /Groups %q → %s; PATCH add %d members", g.Name, made.ID, len(g.Members))
	return nil
}

// patch alters a user or group by one operation.
func (s *demonstration) patch(ctx context.Context, kind, name string, op map[string]any) error {
	_, err := s.scim.do(ctx, http.MethodPatch, kind+s.ids[name], map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{op},
	}, nil)
	return err
}

// A demoCheck is a question of the application and the answer that is right.
type demoCheck struct {
	who, action, typ, id, project string
	want                          bool
}

// ask asks a dozen checks.
func (s *demonstration) ask(ctx context.Context) error {
	s.say("\n4. The application asks: POST /access/v1/evaluation")
	for _, c := range []demoCheck{
		{"ann@example.com", "access", "feature", "part-list", "", true},
		{"ann@example.com", "edit", "feature", "drawing", "", true},
		{"ann@example.com", "generate", "output", "cut-list-pdf", "", true},
		{"ann@example.com", "approve", "feature", "drawing", "", false},
		{"ann@example.com", "approve", "feature", "drawing", "alpha", true},
		{"ann@example.com", "approve", "feature", "drawing", "beta", false},
		{"ann@example.com", "create_sync", "integration", "warehouse", "alpha", true},
		{"ben@example.com", "use", "integration", "warehouse", "", false},
		{"cleo@example.com", "operate", "machine", "laser-1", "", true},
		{"cleo@example.com", "operate", "machine", "saw-2", "", false},
		{"cleo@example.com", "edit", "feature", "part-list", "", false},
		{"dan@example.com", "access", "feature", "part-list", "", false},
		{"nobody@example.com", "access", "feature", "part-list", "", false},
	} {
		if err := s.check(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// check asks one question and says whether the answer is the expected one.
func (s *demonstration) check(ctx context.Context, c demoCheck) error {
	var answer struct{ Decision bool }
	begun := time.Now()
	if _, err := s.app.do(ctx, http.MethodPost, "/access/v1/evaluation", c.body(), &answer); err != nil {
		return err
	}
	s.asked++
	mark := "✓"
	if answer.Decision != c.want {
		s.wrong++
		mark = "✗ expected otherwise"
	}
	in := ""
	if c.project != "" {
		in = " in " + c.project
	}
	s.say("   %-20s %-11s %-24s → %-5s %s (%d µs)", c.who, c.action, c.typ+"/"+c.id+in,
		map[bool]string{true: "allow", false: "deny"}[answer.Decision], mark, time.Since(begun).Microseconds())
	return nil
}

func (c demoCheck) body() map[string]any {
	body := map[string]any{
		"subject":  map[string]any{"type": "user", "id": c.who},
		"action":   map[string]any{"name": c.action},
		"resource": map[string]any{"type": c.typ, "id": c.id},
	}
	if c.project != "" {
		body["context"] = map[string]any{"project": c.project}
	}
	return body
}

// remove takes ben out of Engineering; the next check knows.
func (s *demonstration) remove(ctx context.Context) error {
	question := demoCheck{"ben@example.com", "access", "feature", "part-list", "", true}
	s.say("\n5. Ben is taken out of Engineering; the very next check knows")
	if err := s.check(ctx, question); err != nil {
		return err
	}
	begun := time.Now()
	err := s.patch(ctx, "/Groups/", "Engineering", map[string]any{
		"op": "remove", "path": fmt.Sprintf("members[value eq %q]", s.ids["ben@example.com"]),
	})
	if err != nil {
		return err
	}
	s.say("   PATCH /Groups/%s remove members[value eq …] (%d ms)", s.ids["Engineering"], time.Since(begun).Milliseconds())
	question.want = false
	return s.check(ctx, question)
}

// block switches cleo off, whatever the identity provider says.
func (s *demonstration) block(ctx context.Context) error {
	s.say("\n6. An administrator blocks Cleo, whatever the identity provider says")
	if _, err := s.daemon.service.SetBlock(ctx, byDemo, "cleo@example.com", true, "demo"); err != nil {
		return fmt.Errorf("blocking: %w", err)
	}
	s.say("   usherd user block cleo@example.com")
	if err := s.check(ctx, demoCheck{"cleo@example.com", "operate", "machine", "laser-1", "", false}); err != nil {
		return err
	}
	if _, err := s.daemon.service.SetBlock(ctx, byDemo, "cleo@example.com", false, ""); err != nil {
		return fmt.Errorf("unblocking: %w", err)
	}
	s.say("   usherd user unblock cleo@example.com")
	return s.check(ctx, demoCheck{"cleo@example.com", "operate", "machine", "laser-1", "", true})
}

// repeat prints what to type to go on.
func (s *demonstration) repeat(ctx context.Context, dir string) {
	if link, err := s.consoleLink(ctx); err == nil {
		s.say("\nLook around in the console; this link signs you in once, within ten minutes:\n  %s", link)
	}
	s.say("\nSCIM     %s/scim/%s/v2", s.daemon.url, s.source)
	s.say("checks   %s/access/v1/evaluation", s.daemon.url)
	s.say("probes   http://%s/readyz, /metrics", s.daemon.ops.net.Addr())
	s.say("\nAsk yourself:")
	for _, c := range s.try {
		s.say("  %s   # → {\"decision\":%t}", s.curl(c), c.want)
	}
	s.say(`  curl -s %s/scim/%s/v2/Users -H 'Authorization: Bearer %s'`, s.daemon.url, s.source, s.scim.token)
	c, project := s.try[0], ""
	if c.project != "" {
		project = " --project " + c.project
	}
	s.say("  usherd explain %s %s %s/%s%s --data %s", c.who, c.action, c.typ, c.id, project, dir)
	s.say("\nCtrl-C ends it.")
}

// consoleLink lets whoever watches in as the owner.
func (s *demonstration) consoleLink(ctx context.Context) (string, error) {
	const name = "you@example.com"
	ctx = admin.WithPrincipal(ctx, bySystem)
	if _, err := s.daemon.service.FirstOwner(ctx, name); err != nil && !errors.Is(err, admin.ErrOwned) {
		return "", err
	}
	return s.daemon.loginLink(ctx, name)
}

// curl is a question as a command.
func (s *demonstration) curl(c demoCheck) string {
	text, err := json.Marshal(c.body())
	if err != nil {
		return "" // a body of strings can be encoded
	}
	return fmt.Sprintf(`curl -s %s/access/v1/evaluation -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \
    -d '%s'`, s.daemon.url, s.app.token, text)
}
