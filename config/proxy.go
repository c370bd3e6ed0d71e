package config

import (
	"fmt"
	"strings"
)

// GRPC says where proxies reach the gRPC listener.
type GRPC struct {
	Listen string `yaml:"listen" doc:"Address of the gRPC listener, for Envoy's ext_authz and gRPC health checks. TLS as for listen. Unset: none."`
}

// ExtAuthz says how the requests that a reverse proxy holds become checks.
type ExtAuthz struct {
	Identity    ProxyIdentity `yaml:"identity" doc:"Where the proxy says who is signed in."`
	TokenHeader string        `yaml:"token_header" doc:"Header in which proxies show their check token over HTTP, where they can't set Authorization. Unset: Authorization."`
	Reasons     bool          `yaml:"reasons" doc:"Add the header usherd-reason to answers."`
	Routes      []Route       `yaml:"routes" doc:"What must be allowed for a request to pass. The most specific route counts, whatever the order; a request without one is denied."`
}

// ProxyIdentity says where the name of a signed-in user is.
type ProxyIdentity struct {
	From   string `yaml:"from" enum:"header|principal|metadata" default:"header" doc:"header: in one that the proxy sets. principal: in the client's certificate (Envoy, gRPC). metadata: in what a filter found out, as the claims of a JWT (Envoy, gRPC)."`
	Name   string `yaml:"name" doc:"header: its name, e.g. X-Auth-Request-Email; the proxy must set or remove it on every request. metadata: namespace and path of a string, e.g. envoy.filters.http.jwt_authn/payload/email."`
	Type   string `yaml:"type" enum:"user|email|external" default:"user" doc:"What kind of name it is: a userName or our id, an e-mail address, or the external id of a source."`
	Source string `yaml:"source" doc:"external only: whose ids these are."`
}

// A Route is one line of the table of what must be allowed.
type Route struct {
	Match   string `yaml:"match" doc:"[METHODS ][HOST]/PATH, e.g. GET|HEAD app.example.com/parts/{id}. {name} is one segment, {name...} at the end any number. Required."`
	Check   string `yaml:"check" doc:"What must be allowed, ACTION TYPE/ID, e.g. access feature/part-list. The id may be a {name} of the path. Required."`
	Project string `yaml:"project" doc:"Project in which it is asked: a key, or a {name} of the path. Unset: none."`
}

// Enabled reports whether proxies may ask.
func (e ExtAuthz) Enabled() bool { return len(e.Routes) > 0 }

// proxies checks what concerns reverse proxies. What stands in the routes is
// checked by whoever compiles them.
func (v *validation) proxies() {
	c, e := v.c, v.c.ExtAuthz
	if addr := c.GRPC.Listen; addr != "" {
		local, ok := v.listen("grpc.listen", addr)
		if ok && !local && c.TLS.Cert == "" && c.TLS.Key == "" && !c.Insecure {
			v.fault("grpc.listen", "set tls.cert and tls.key, or insecure_http: true behind a proxy that ends TLS",
				"%s is reachable from elsewhere and would not speak TLS", addr)
		}
		if !strings.HasSuffix(addr, ":0") && (addr == c.Listen || addr == c.OpsListen) {
			v.fault("grpc.listen", "", "the same as another listener")
		}
		if !e.Enabled() {
			v.fault("grpc.listen", "add ext_authz.routes", "there is nothing to serve")
		}
	}
	for i, r := range e.Routes {
		path := fmt.Sprintf("ext_authz.routes[%d]", i)
		if r.Match == "" {
			v.fault(path+".match", "e.g. GET /parts/{id}", "missing")
		}
		if r.Check == "" {
			v.fault(path+".check", "e.g. access feature/part-list", "missing")
		}
	}
	if e.Enabled() {
		v.identity("ext_authz.identity", e.Identity)
	}
}

func (v *validation) identity(path string, i ProxyIdentity) {
	switch {
	case i.From == "principal" && i.Name != "":
		v.fault(path+".name", "", "a certificate has no other name; from is principal")
	case i.From == "metadata" && i.Name == "":
		v.fault(path+".name", "e.g. envoy.filters.http.jwt_authn/payload/email", "missing")
	case i.From == "metadata" && (!strings.Contains(i.Name, "/") || strings.Contains("/"+i.Name+"/", "//")):
		v.fault(path+".name", "e.g. envoy.filters.http.jwt_authn/payload/email", "%q is not a namespace and a path", clip(i.Name))
	case i.From != "principal" && i.Name == "":
		v.fault(path+".name", "e.g. X-Auth-Request-Email", "missing")
	case strings.EqualFold(v.c.ExtAuthz.TokenHeader, i.Name) && i.Name != "":
		v.fault("ext_authz.token_header", "", "the same as the identity's")
	}
	switch {
	case i.Type == "external" && i.Source == "":
		v.fault(path+".source", "the name of a source", "missing; the type is external")
	case i.Type != "external" && i.Source != "":
		v.fault(path+".source", "", "the type is not external")
	case i.Source != "" && !sourceName.MatchString(i.Source):
		v.fault(path+".source", "", "%q is not the name of a source", clip(i.Source))
	}
}
