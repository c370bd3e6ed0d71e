package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/usherd/usherd/config"
)

func TestPrint(t *testing.T) {
	const list = `{"items":[{"name":"a","n":12345678901234567,"tags":["x","y"]},{"name":"=1+1","n":2,"tags":null}]}`
	for _, tt := range []struct{ format, text, want string }{
		{"json", list, `[{"name":"a","n":12345678901234567,"tags":["x","y"]},{"name":"=1+1","n":2,"tags":null}]` + "\n"},
		{"json", `{"decision":true}`, `{"decision":true}` + "\n"},
		{"csv", list, "name,n,tags\na,12345678901234567,\"x, y\"\n'=1+1,2,\n"},
		{"table", list, "NAME  N                  TAGS\na     12345678901234567  x, y\n=1+1  2\n"},
		{"table", `{"name":"a","n":1}`, "name  a\nn     1\n"},
		{"yaml", list, "name: a"},
		{"table", `{"items":[{"name":"red\u001b[31m"}]}`, `"red\x1b[31m"`},
	} {
		var out bytes.Buffer
		a := &app{stdout: &out, format: tt.format}
		if err := a.print([]byte(tt.text), columns("NAME=name N=n TAGS=tags")); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.Contains(got, tt.want) {
			t.Errorf("print(%s) as %s is\n%s, want\n%s", tt.text, tt.format, got, tt.want)
		}
	}
}

func TestAnObjectInATableReadsLikeItsName(t *testing.T) {
	for item, want := range map[string]string{
		`{"id":"0","num":1,"name":"staff","source":"corp","status":"active"}`:                                               "corp/staff",
		`{"name":"staff","source":"corp","status":"blocked"}`:                                                               "corp/staff (blocked)",
		`{"name":"a\u001b[2J","source":"corp"}`:                                                                             `corp/"a\x1b[2J"`,
		`{"by":"x","created":"t","id":"0","origin":"manual","role":"viewer","user":"0"}`:                                    "Role viewer",
		`{"origin":"manual","privilege":{"kind":"role","key":"part-list:edit"},"user":"0"}`:                                 "role part-list:edit",
		`{"origin":"override","privilege":{"kind":"integration","key":"aws","level":"admin"},"project":"alpha","user":"0"}`: "integration aws=admin in project alpha",
		`{"origin":"manual","privilege":{"kind":"integration","key":"aws"},"user":"0"}`:                                     "integration aws=none",
		`{"by":"root","created":"2026-11-22T04:43:00Z","project":"alpha","user":"0"}`:                                       "in project alpha by root",
		`{"by":"root","created":"2026-11-22T04:43:00Z","user":"0"}`:                                                         "organization-wide by root",
		`{"id":"0","follows_name":true,"name":"corp/staff","state":"bound"}`:                                                "corp/staff",
		`{"id":"0","name":"corp/staff","state":"suspended"}`:                                                                "corp/staff (suspended)",
		`{"else":1}`: `{"else":1}`,
	} {
		var v any
		if err := decodeNumbers([]byte(item), &v); err != nil {
			t.Fatal(err)
		}
		if got := valueText(v); got != want {
			t.Errorf("%s is shown as %q, want %q", item, got, want)
		}
	}
}

func TestPublicURL(t *testing.T) {
	for _, tt := range []struct {
		name, url, cert, addr, want string
	}{
		{"the configured one wins", "https://u.example.com/", "", "127.0.0.1:8080", "https://u.example.com"},
		{"the address, where none is", "", "", "127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"with TLS", "", "c.pem", "10.0.0.1:443", "https://10.0.0.1:443"},
		{"everywhere is this machine", "", "", "0.0.0.0:80", "http://localhost:80"},
		{"everywhere in IPv6", "", "", "[::]:80", "http://localhost:80"},
	} {
		cfg := &config.Config{URL: tt.url, TLS: config.TLS{Cert: tt.cert}}
		if got := publicURL(cfg, textAddr(tt.addr)); got != tt.want {
			t.Errorf("%s: publicURL = %s, want %s", tt.name, got, tt.want)
		}
	}
}
