package deploy_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/usherd/usherd/authz/extauthz"
	"github.com/usherd/usherd/config"
)

// known are the messages that envoy.yaml names, so that they are linked in.
var known = []proto.Message{&hcmv3.HttpConnectionManager{}, &authzv3.ExtAuthz{}, &jwtv3.JwtAuthentication{}, &routerv3.Router{}, &tlsv3.UpstreamTlsContext{}, &httpv3.HttpProtocolOptions{}}

// open reads an Any of one of the known messages and checks it by Envoy's own
// rules.
func open[M interface {
	proto.Message
	ValidateAll() error
}](t *testing.T, from *anypb.Any, m M) M {
	t.Helper()
	if err := from.UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	if err := m.ValidateAll(); err != nil {
		t.Errorf("%T: %v", m, err)
	}
	return m
}

// TestEnvoyTakesTheExample reads envoy.yaml as Envoy does: every key is known,
// and every value is allowed.
func TestEnvoyTakesTheExample(t *testing.T) {
	text, err := os.ReadFile("proxies/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Load(text, &v); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var b bootstrapv3.Bootstrap
	if err := protojson.Unmarshal(asJSON, &b); err != nil {
		t.Fatalf("with %d known messages: %v", len(known), err)
	}
	if err := b.ValidateAll(); err != nil {
		t.Error(err)
	}
	filter := b.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0]
	manager := open(t, filter.GetTypedConfig(), &hcmv3.HttpConnectionManager{})
	var names []string
	for _, f := range manager.GetHttpFilters() {
		names = append(names, strings.TrimPrefix(f.GetName(), "envoy.filters.http."))
	}
	if !slices.Equal(names, []string{"jwt_authn", "ext_authz", "router"}) {
		t.Fatalf("filters %v: who is signed in is known before usherd is asked", names)
	}
	open(t, manager.GetHttpFilters()[0].GetTypedConfig(), &jwtv3.JwtAuthentication{})
	ask := open(t, manager.GetHttpFilters()[1].GetTypedConfig(), &authzv3.ExtAuthz{})
	meta := ask.GetGrpcService().GetInitialMetadata()
	if ask.GetFailureModeAllow() || len(meta) != 1 || !strings.HasPrefix(meta[0].GetValue(), "Bearer ") {
		t.Errorf("ext_authz = %v", ask)
	}
}

// TestTheExamplesForProxiesLoad: usherd takes what the examples tell it.
func TestTheExamplesForProxiesLoad(t *testing.T) {
	for _, name := range []string{"proxies/usherd.yaml", "proxies/usherd-traefik.yaml"} {
		c, err := config.Load(config.LoadOptions{Path: name, Environ: []string{}})
		if err != nil {
			t.Fatal(err)
		}
		var rules []extauthz.Rule
		for _, r := range c.ExtAuthz.Routes {
			rules = append(rules, extauthz.Rule{Match: r.Match, Check: r.Check, Project: r.Project})
		}
		if _, faults := extauthz.NewTable(rules); len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
	}
	for name, wants := range map[string][]string{
		"proxies/traefik.yaml": {"/v1/forward-auth", "trustForwardHeader: false", "X-Usherd-Token"},
		"proxies/Caddyfile":    {"/v1/forward-auth", "header_up Authorization", "header_up -X-Original-URI"},
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not say %s", name, want)
			}
		}
	}
	var dynamic any
	text, err := os.ReadFile("proxies/traefik.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load(text, &dynamic); err != nil {
		t.Error(err)
	}
}
