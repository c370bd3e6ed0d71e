package scim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

func user(userName, externalID string, more ...string) string {
	external := ""
	if externalID != "" {
		external = `,"externalId":"` + externalID + `"`
	}
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + userName + `"` + external + strings.Join(more, "") + `}`
}

const deactivate = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`

func TestReprovisioning(t *testing.T) { onBoth(t, testReprovisioning) }

func testReprovisioning(t *testing.T) {
	s := start(t)
	id := func(r reply) string { return fmt.Sprint(r.at("id")) }
	first := id(s.do("POST", "/Users", user("kim", "E1")).want(t, "nothing there", 201))

	r := s.do("POST", "/Users", user("kim", "E1")).want(t, "the same E active", 409)
	if r.at("scimType") != "uniqueness" || !strings.Contains(r.raw, first) || !strings.HasSuffix(r.header.Get("Location"), "/Users/"+first) {
		t.Errorf("409 = %s at %s, want it to name %s", r.raw, r.header.Get("Location"), first)
	}
	for _, query := range []string{`userName eq "kim"`, `externalId eq "E1"`} {
		if r := s.do("GET", "/Users?filter="+strings.NewReplacer(" ", "%20", `"`, "%22").Replace(query), ""); r.at("Resources/0/id") != first {
			t.Errorf("after 409 the query %s finds %s", query, r.raw)
		}
	}
	s.do("POST", "/Users", user("kim", "")).want(t, "no E and the same U active", 409)
	s.do("POST", "/Users", user("kim", "E2")).want(t, "another E with the same U", 409)

	s.do("PATCH", "/Users/"+first, deactivate).want(t, "PATCH", 200)
	s.do("POST", "/Users", user("kim", "E2")).want(t, "another E with the same U inactive", 409)
	r = s.do("POST", "/Users", user("kim2", "E1", `,"title":"new"`)).want(t, "the same E inactive", 201)
	if id(r) != first || r.at("userName") != "kim2" || r.at("title") != "new" || r.at("active") != true {
		t.Errorf("POST of an inactive user = %s, want %s with the body as a PUT", r.raw, first)
	}
	s.do("PATCH", "/Users/"+first, deactivate).want(t, "PATCH", 200)
	r = s.do("POST", "/Users", user("KIM2", "")).want(t, "no E and the same U inactive", 201)
	if id(r) != first || r.at("externalId") != "E1" || r.at("title") != nil {
		t.Errorf("POST without externalId = %s, want %s with its externalId and without its title", r.raw, first)
	}
	group := id(s.do("POST", "/Groups", `{"schemas":[],"displayName":"Ops","members":["`+first+`"]}`).want(t, "POST", 201))
	s.do("DELETE", "/Users/"+first, "").want(t, "DELETE", 204)
	r = s.do("POST", "/Users", user("kim2", "E1")).want(t, "E deleted", 201)
	if id(r) == first {
		t.Errorf("a deleted id came back: %s", r.raw)
	}
	if r := s.do("GET", "/Groups/"+group, "").want(t, "GET", 200); r.at("members") != nil {
		t.Errorf("the heir of E is in %s, want in no group", r.raw)
	}
}

// linkByName links to whom has the userName.
type linkByName struct{ read directory.History }

// LinkFor implements Linker.
func (l *linkByName) LinkFor(ctx context.Context, _ directory.SourceName, p directory.Profile) (directory.UserID, error) {
	key, err := directory.KeyOf(p.UserName)
	if err != nil {
		return "", err
	}
	sub, err := l.read.Subject(ctx, directory.SubjectKey{Kind: directory.KeyUserName, Value: string(key)}, directory.Stamp{})
	return sub.ID, err
}

func TestLinkedIdentities(t *testing.T) { onBoth(t, testLinkedIdentities) }

func testLinkedIdentities(t *testing.T) {
	link := &linkByName{}
	s := start(t, func(c *Config) { c.Link = link })
	link.read = s.store
	s.addSource("corp", `{"link":{"with":["okta"],"by":"userName"}}`)
	kim := directory.UserID(fmt.Sprint(s.as("okta", "POST", "/Users", user("kim", "E1")).want(t, "POST", 201).at("id")))
	s.as("entra", "POST", "/Users", user("kim", "N1")).want(t, "a source without linking", 409)

	own := fmt.Sprint(s.as("corp", "POST", "/Users", user("Kim", "C1")).want(t, "a source with linking", 201).at("id"))
	if own == string(kim) {
		t.Errorf("the linked identity has the id %s of the first", own)
	}
	if q := s.lastLog().Quirks; len(q) != 1 || !strings.Contains(q[0], "linked") {
		t.Errorf("the log lists %q, want that it was linked", q)
	}
	subject := func() directory.Subject {
		t.Helper()
		sub, err := s.store.Subject(t.Context(), directory.SubjectKey{Kind: directory.KeyID, Value: own}, directory.Stamp{})
		if err != nil {
			t.Fatal(err)
		}
		return sub
	}
	if sub := subject(); sub.ID != kim || sub.Inactive {
		t.Errorf("in a check its id names %+v, want %s", sub, kim)
	}
	s.as("corp", "GET", "/Users/"+string(kim), "").want(t, "the id of another source's identity", 404)
	s.as("okta", "GET", "/Users/"+own, "").want(t, "the id of another source's identity", 404)
	r := s.as("corp", "POST", "/Users", user("kim", "C1")).want(t, "once more", 409)
	if !strings.Contains(r.raw, own) {
		t.Errorf("409 says %s, want it to name the own identity %s", r.raw, own)
	}

	s.as("corp", "DELETE", "/Users/"+own, "").want(t, "DELETE", 204)
	if sub := subject(); sub.ID != kim || !sub.Inactive {
		t.Errorf("after DELETE %+v, want %s inactive", sub, kim)
	}
	s.as("okta", "GET", "/Users/"+string(kim), "").want(t, "the other identity", 200)
	r = s.as("corp", "POST", "/Users", user("kim", "C2")).want(t, "another externalId while a deleted one is remembered", 409)
	if !strings.Contains(r.raw, "detach") {
		t.Errorf("409 says %s, want the way out", r.raw)
	}
	r = s.as("corp", "POST", "/Users", user("kim", "C1")).want(t, "the remembered externalId", 201)
	if r.at("id") != own {
		t.Errorf("POST revived %v, want %s", r.at("id"), own)
	}
	if sub := subject(); sub.ID != kim || sub.Inactive {
		t.Errorf("after the revival %+v, want %s active", sub, kim)
	}
	r = s.as("corp", "DELETE", "/Users/"+own, "").want(t, "DELETE", 204)
	if _, err := s.store.Apply(t.Context(), directory.Actor{Kind: "admin"}, directory.DetachUser{Source: "corp", Value: "C1"}); err != nil {
		t.Fatal(err)
	}
	if sub := subject(); sub.Found != directory.Unknown {
		t.Errorf("the detached id names %+v, want nobody; %s", sub, r.raw)
	}
}

func TestLinkedByHand(t *testing.T) {
	s := start(t)
	kim := directory.UserID(fmt.Sprint(s.as("okta", "POST", "/Users", user("kim", "E1")).want(t, "POST", 201).at("id")))
	if r := s.as("entra", "POST", "/Users", user("kim", "N1")).want(t, "before", 409); !strings.Contains(r.raw, "usherd user link entra/EXTERNAL-ID USER") {
		t.Errorf("409 says %s, want the command that links", r.raw)
	}
	if _, err := s.store.Apply(t.Context(), directory.Actor{Kind: "admin"}, directory.LinkUser{Source: "entra", Value: "N1", User: kim}); err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprint(s.as("entra", "POST", "/Users", user("kim", "N1")).want(t, "linked by hand", 201).at("id"))
	if i, err := s.store.Identity(t.Context(), "entra", directory.UserID(id)); err != nil || i.User != kim {
		t.Errorf("Identity = %+v, %v; want one of %s", i, err, kim)
	}
}

func TestReplay(t *testing.T) {
	var log []directory.Request
	s := start(t, func(c *Config) { c.Record = func(r directory.Request) { log = append(log, r) } })
	s.handler.try = s.store
	src := s.sources["okta"]
	last := func() directory.Request { return log[len(log)-1] }
	replay := func(entry directory.Request, trial bool) Replayed {
		t.Helper()
		out, err := s.handler.Replay(t.Context(), src, entry, trial)
		if err != nil {
			t.Fatalf("Replay(%s %s, %v) = %v", entry.Method, entry.Path, trial, err)
		}
		return out
	}
	s.do("POST", "/Users", user("kim", "E1", `,"password":"secret","emails":[{"value":"k@a.test","type":"work"}]`)).want(t, "POST", 201)
	post := last()
	if strings.Contains(string(post.Body), "secret") {
		t.Errorf("the log holds %s", post.Body)
	}
	if out := replay(post, true); out.Status != 409 || !out.Trial {
		t.Errorf("replaying a POST whose user is there = %+v, want 409", out)
	}
	kim := fmt.Sprint(s.do("GET", "/Users?filter=userName%20eq%20%22kim%22", "").at("Resources/0/id"))
	s.do("DELETE", "/Users/"+kim, "").want(t, "DELETE", 204)
	head, err := s.store.Head(t.Context(), directory.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	if out := replay(post, true); out.Status != 201 || !strings.Contains(string(out.Changes), `"user.created"`) {
		t.Errorf("trying a POST = %+v, want it to create a user", out)
	}
	if now, err := s.store.Head(t.Context(), directory.Stamp{}); err != nil || now.Stamp != head.Stamp {
		t.Errorf("after a trial the head is %v, %v; want %v", now.Stamp, err, head.Stamp)
	}
	entries := len(log)
	out := replay(post, false)
	if out.Status != 201 || out.Stamp == "" || len(log) != entries+1 || last().Replays != post.ID || last().ID != out.ID {
		t.Errorf("replaying a POST = %+v, logged as %+v; want 201 and an entry that names the first", out, last())
	}
	kim = fmt.Sprint(s.do("GET", "/Users?filter=emails.value%20eq%20%22k@a.test%22", "").at("Resources/0/id"))

	group := "/Groups/" + fmt.Sprint(s.do("POST", "/Groups", `{"schemas":[],"displayName":"Ops"}`).at("id"))
	s.do("PATCH", group, `{"Operations":[{"op":"Add","path":"members","value":[{"value":"`+kim+`"}]},{"op":"replace","value":{"displayName":"Ops2"}}]}`).want(t, "PATCH", 200)
	patch := last()
	s.do("PUT", group, `{"schemas":[],"displayName":"Ops"}`).want(t, "PUT", 200)
	if out := replay(patch, false); out.Status != 200 {
		t.Errorf("replaying a PATCH = %+v", out)
	}
	if r := s.do("GET", group, ""); r.at("displayName") != "Ops2" || r.at("members/0/value") != kim {
		t.Errorf("after the replay of a PATCH the group is %s", r.raw)
	}
	s.do("PATCH", group, `{"Operations":[{"op":"remove","path":"members[value eq \"`+kim+`\"]"}]}`).want(t, "PATCH", 200)
	remove := last()
	s.do("PATCH", group, `{"Operations":[{"op":"add","path":"members","value":["`+kim+`"]}]}`).want(t, "PATCH", 200)
	if out := replay(remove, true); !strings.Contains(string(out.Changes), kim) {
		t.Errorf("trying a removal = %+v, want it to name the member", out)
	}
	replay(remove, false)
	if r := s.do("GET", group, ""); r.at("members") != nil {
		t.Errorf("after the replay of a removal the group is %s", r.raw)
	}
}

// What the log has of a request is understood as it is: nothing has to be bent.
func TestReplayOfMembersBendsNothing(t *testing.T) {
	s := start(t)
	path := "/Groups/" + fmt.Sprint(s.do("POST", "/Groups", `{"schemas":["`+groupURN+`"],"displayName":"ops"}`).want(t, "POST", 201).at("id"))
	member := func(name string) string { return `{"value":"` + name + `","display":"shown"}` }
	patch := func(op string) string { return `{"schemas":["` + patchOpURN + `"],"Operations":[` + op + `]}` }
	for _, c := range []struct{ claim, method, path, body, after string }{
		{"PUT", "PUT", path, `{"schemas":["` + groupURN + `"],"displayName":"ops","members":[` + member("a") + `,` + member("b") + `]}`, `[a b]`},
		{"add", "PATCH", path, patch(`{"op":"add","path":"members","value":[` + member("c") + `]}`), `[c]`},
		{"replace", "PATCH", path, patch(`{"op":"replace","path":"members","value":[` + member("d") + `,` + member("e") + `]}`), `[d e]`},
		{"remove by filter", "PATCH", path, patch(`{"op":"remove","path":"members[value eq \"d\"]"}`), `[]`},
		{"remove by a list", "PATCH", path, patch(`{"op":"remove","path":"members","value":[` + member("d") + `]}`), `[]`},
		{"remove all", "PATCH", path, patch(`{"op":"remove","path":"members"}`), `[]`},
		{"POST", "POST", "/Groups", `{"schemas":["` + groupURN + `"],"displayName":"made","members":[` + member("f") + `]}`, `[f]`},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := s.do(c.method, c.path, c.body).want(t, c.claim, 200, 201)
			entry := s.lastLog()
			if c.method == "POST" {
				path = "/Groups/" + fmt.Sprint(r.at("id"))
				s.do("DELETE", path, "").want(t, "DELETE", 204)
			} else {
				s.do("PATCH", path, patch(`{"op":"remove","path":"members"}`)).want(t, "emptying", 200)
			}
			out, err := s.handler.Replay(t.Context(), s.sources["okta"], entry, false)
			if err != nil || out.Status != r.status || len(out.Quirks) > 0 {
				t.Fatalf("Replay = %+v, %v; want status %d and nothing bent", out, err, r.status)
			}
			if c.method == "POST" {
				path = "/Groups/" + fmt.Sprint(s.do("GET", "/Groups?filter=displayName%20eq%20%22made%22", "").at("Resources/0/id"))
			}
			got := []string{}
			list, _ := s.do("GET", path, "").at("members").([]any)
			for _, m := range list {
				got = append(got, fmt.Sprint(at(m, "value")))
			}
			slices.Sort(got)
			if fmt.Sprint(got) != c.after {
				t.Errorf("afterwards the members are %v, want %s", got, c.after)
			}
		})
	}
}

func TestWhatIsNotReplayed(t *testing.T) {
	s := start(t)
	long := make([]string, 101)
	for i := range long {
		long[i] = fmt.Sprintf(`"m%d"`, i)
	}
	for _, tt := range []struct{ claim, method, path, body string }{
		{"a read", "GET", "/Users", ""},
		{"a search", "POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}`},
		{"a bulk", "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[]}`},
		{"a long list", "POST", "/Groups", `{"schemas":[],"displayName":"long","members":[` + strings.Join(long, ",") + `]}`},
		{"what was not understood", "POST", "/Users", `{"schemas":[`},
	} {
		s.do(tt.method, tt.path, tt.body)
		if out, err := s.handler.Replay(t.Context(), s.sources["okta"], s.lastLog(), false); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("%s: Replay = %+v, %v; want ErrInvalid", tt.claim, out, err)
		}
	}
	s.do("POST", "/Users", user("kim", ""))
	if out, err := s.handler.Replay(t.Context(), s.sources["entra"], s.lastLog(), false); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("as another source: Replay = %+v, %v; want ErrInvalid", out, err)
	}
}

func TestRepeatedParametersAreRefused(t *testing.T) {
	s := start(t)
	for _, name := range []string{"filter", "startIndex", "count", "sortBy", "attributes"} {
		r := s.do("GET", "/Users?"+name+"=1&"+name+"=2", "").want(t, name+" twice", 400)
		if !strings.Contains(r.raw, name) {
			t.Errorf("400 says %s, want it to name %s", r.raw, name)
		}
	}
	s.do("GET", "/Users?aadOptscim062020&aadOptscim062020", "").want(t, "an unknown one twice", 200)
}

func TestWhoAsksFirstIsToldBeforeSending(t *testing.T) {
	s := start(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /scim/okta/v2/Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-okta\r\nContent-Type: application/scim+json\r\n"+
		"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", 1<<20+1)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusRequestEntityTooLarge || err != nil || !strings.Contains(string(text), "1048576") {
		t.Errorf("the first answer is %d %s, %v; want 413 with the limit", resp.StatusCode, text, err)
	}
}

func TestDetect(t *testing.T) {
	for _, tt := range []struct {
		agent  string
		quirks []string
		want   Profile
	}{
		{"Okta SCIM Client 1.0.0", nil, ProfileOkta},
		{"goauthentik.io/2025.4 okta", nil, ProfileAuthentik},
		{"", []string{"members string to value", "op in capital letters"}, ProfileEntra},
		{"okta", []string{"op in capital letters"}, ProfileOkta},
		{"curl/8", []string{"schemas missing"}, ""},
		{"", nil, ""},
	} {
		if got := Detect(directory.Request{Agent: tt.agent, Quirks: tt.quirks}); got != tt.want {
			t.Errorf("Detect(%q, %q) = %q, want %q", tt.agent, tt.quirks, got, tt.want)
		}
	}
	if err := CheckSettings([]byte(`{"profile":"octa"}`)); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("CheckSettings of an unknown profile = %v, want ErrInvalid", err)
	}
	if err := CheckSettings([]byte(`{"profile":"entra"}`)); err != nil {
		t.Errorf("CheckSettings of a known profile = %v", err)
	}
}
