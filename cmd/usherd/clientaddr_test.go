package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
)

func TestTheClientIsTheRightmostAddressThatIsNotTrusted(t *testing.T) {
	for _, tt := range []struct {
		name    string
		remote  string
		headers []string
		want    string
	}{
		{"without a proxy it is the connection's", "203.0.113.9:4711", nil, "203.0.113.9"},
		{"a client that is no proxy is not believed", "203.0.113.9:4711", []string{"198.51.100.1"}, "203.0.113.9"},
		{"a proxy is believed", "10.0.0.1:4711", []string{"198.51.100.1"}, "198.51.100.1"},
		{"what a client wrote itself does not count", "10.0.0.1:4711", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1"},
		{"what a client wrote into a header of its own does not count", "10.0.0.1:4711", []string{"192.0.2.66", "198.51.100.1"}, "198.51.100.1"},
		{"a client that claims to be a proxy is none", "10.0.0.1:4711", []string{"192.0.2.66, 10.0.0.2, 198.51.100.1"}, "198.51.100.1"},
		{"several proxies are passed", "10.0.0.1:4711", []string{"192.0.2.66, 198.51.100.1, 10.0.0.2,10.0.0.3"}, "198.51.100.1"},
		{"where all are trusted it is the first", "10.0.0.1:4711", []string{"10.0.0.7, 10.0.0.2"}, "10.0.0.7"},
		{"a proxy that says nothing is the client", "10.0.0.1:4711", nil, "10.0.0.1"},
		{"what does not read ends the search", "10.0.0.1:4711", []string{"192.0.2.66, <script>, 10.0.0.2"}, "10.0.0.2"},
		{"a name is no address", "10.0.0.1:4711", []string{"unknown"}, "10.0.0.1"},
		{"an address may have a port", "10.0.0.1:4711", []string{"198.51.100.1:9999"}, "198.51.100.1"},
		{"IPv6 may have brackets", "[2001:db8::1]:4711", []string{"[2001:db8:ffff::7]"}, "2001:db8:ffff::7"},
		{"IPv6 may have brackets and a port", "[2001:db8::1]:4711", []string{"[2001:DB8:ffff:0::7]:80"}, "2001:db8:ffff::7"},
		{"IPv4 in IPv6 is IPv4", "[::ffff:10.0.0.1]:4711", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"a socket has none", "@", []string{"198.51.100.1"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var proxies []config.Prefix
			for _, text := range []string{"10.0.0.0/24", "2001:db8::/64"} {
				p, err := config.ParsePrefix(text)
				if err != nil {
					t.Fatal(err)
				}
				proxies = append(proxies, p)
			}
			r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{"X-Forwarded-For": tt.headers}}
			if got := directory.AddressOf(clientOf(r, proxies)); got != tt.want {
				t.Errorf("clientOf(%s, %q) = %q, want %q", tt.remote, tt.headers, got, tt.want)
			}
		})
	}
}

// TestARecordSaysWhereTheRequestCameFrom changes something by every way in.
func TestARecordSaysWhereTheRequestCameFrom(t *testing.T) {
	for _, tt := range []struct{ name, setting, want string }{
		{"behind a trusted proxy", "trusted_proxies: [127.0.0.0/8]", "198.51.100.1"},
		{"with a header of nobody trusted", "trusted_proxies: [192.0.2.0/24]", "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := startDaemon(t, tt.setting)
			scimToken := func() string {
				if _, err := d.service.AddSource(t.Context(), byDemo, admin.NewSource{Name: "okta", Kind: directory.KindSCIM}); err != nil {
					t.Fatal(err)
				}
				return d.mustToken(t, admin.NewToken{Kind: directory.TokenSCIM, Source: "okta"}).Token
			}()
			adminToken := d.mustToken(t, admin.NewToken{Kind: directory.TokenAdmin, Name: "ops"}).Token
			send := func(base, token, path, media, body string) {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("X-Forwarded-For", "192.0.2.66, 198.51.100.1")
				r.Header.Set("Content-Type", media)
				r.Header.Set("Authorization", "Bearer "+token)
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusCreated {
					t.Fatalf("POST %s = %d %s, %v", path, res.StatusCode, text, err)
				}
			}
			socket := httptest.NewServer(d.socket.server.Handler)
			defer socket.Close()
			send(d.url, scimToken, "/scim/okta/v2/Users", "application/scim+json", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"by-scim"}`)
			send(d.url, adminToken, "/api/v1/users", "application/json", `{"userName":"by-token"}`)
			send(socket.URL, "", "/api/v1/users", "application/json", `{"userName":"by-socket"}`)
			records, err := d.store.AuditHeads(t.Context(), directory.AuditSearch{Action: "user.created", Oldest: true, Limit: 10})
			if err != nil || len(records) != 3 {
				t.Fatalf("AuditHeads = %d records, %v; want 3", len(records), err)
			}
			for i, want := range []string{tt.want, tt.want, ""} {
				if by := records[i].Actor; by.Address != want {
					t.Errorf("a record by %s came from %q, want %q", by.Kind, by.Address, want)
				}
			}
			if v, err := d.service.VerifyAudit(admin.WithPrincipal(t.Context(), byDemo)); err != nil || !v.OK {
				t.Errorf("VerifyAudit = %+v, %v", v, err)
			}
		})
	}
}
