package extauthz

import (
	"context"
	"net"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/usherd/usherd/authz"
)

// dial serves g on a real listener and connects to it as Envoy does.
func dial(t testing.TB, g *Gate) *grpc.ClientConn {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.MaxRecvMsgSize(MaxMessage))
	g.Register(srv)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		srv.GracefulStop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn
}

func withToken(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// requestOf is what Envoy tells of a request of kim.
func requestOf(method, path string) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:  &authv3.AttributeContext_Peer{Principal: "kim"},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: method, Host: "app.example.com", Path: path, Headers: map[string]string{"x-auth-request-user": "kim"}}},
		MetadataContext: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
			"envoy.filters.http.jwt_authn": {Fields: map[string]*structpb.Value{
				"payload": structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
					"email": structpb.NewStringValue("kim@example.com"), "groups": structpb.NewListValue(&structpb.ListValue{}),
				}}),
			}},
		}},
	}}
}

func TestEnvoyOverGRPC(t *testing.T) {
	envoy := func(method, path string, edits ...func(*authv3.AttributeContext)) *authv3.CheckRequest {
		in := requestOf(method, path)
		for _, edit := range edits {
			edit(in.Attributes)
		}
		return in
	}
	raw := func(pairs ...string) func(*authv3.AttributeContext) {
		return func(a *authv3.AttributeContext) {
			h := a.Request.Http
			h.Headers, h.HeaderMap = nil, &corev3.HeaderMap{}
			for i := 0; i < len(pairs); i += 2 {
				h.HeaderMap.Headers = append(h.HeaderMap.Headers, &corev3.HeaderValue{Key: pairs[i], RawValue: []byte(pairs[i+1])})
			}
		}
	}
	named := func(name string) func(*authv3.AttributeContext) {
		return func(a *authv3.AttributeContext) { a.Request.Http.Headers["x-auth-request-user"] = name }
	}
	principal := Identity{From: FromPrincipal, Type: authz.SubjectUser}
	claim := func(path ...string) Identity {
		return Identity{From: FromMetadata, Metadata: append([]string{"envoy.filters.http.jwt_authn"}, path...), Type: authz.SubjectEmail}
	}
	for _, tt := range []struct {
		claim    string
		token    string
		identity Identity
		in       *authv3.CheckRequest
		code     codes.Code
		status   int32
		reason   string
	}{
		{"an allow", goodToken, byUser, envoy("GET", "/parts/7?x"), codes.OK, 0, "granted"},
		{"a deny", goodToken, byUser, envoy("PUT", "/parts/7"), codes.PermissionDenied, 403, "no_grant"},
		{"a strange path", goodToken, byUser, envoy("GET", "/parts/%2e%2e/parts/7"), codes.PermissionDenied, 403, BadPath},
		{"headers as they came", goodToken, byUser, envoy("GET", "/parts/7", raw("X-Auth-Request-User", "kim")), codes.OK, 0, "granted"},
		{"a header twice", goodToken, byUser, envoy("GET", "/parts/7", raw("x-auth-request-user", "kim", "x-auth-request-user", "kim")), codes.PermissionDenied, 403, AmbiguousIdentity},
		{"two headers joined", goodToken, byUser, envoy("GET", "/parts/7", named("kim,lee")), codes.PermissionDenied, 403, AmbiguousIdentity},
		{"nobody", goodToken, byUser, envoy("GET", "/parts/7", named("")), codes.PermissionDenied, 403, NoIdentity},
		{"no header", goodToken, byUser, envoy("GET", "/parts/7", raw()), codes.PermissionDenied, 403, NoIdentity},
		{"a certificate", goodToken, principal, envoy("GET", "/parts/7"), codes.OK, 0, "granted"},
		{"no certificate", goodToken, principal, envoy("GET", "/parts/7", func(a *authv3.AttributeContext) { a.Source = nil }), codes.PermissionDenied, 403, NoIdentity},
		{"a claim", goodToken, claim("payload", "email"), envoy("GET", "/parts/7"), codes.OK, 0, "granted"},
		{"no such claim", goodToken, claim("payload", "sub"), envoy("GET", "/parts/7"), codes.PermissionDenied, 403, NoIdentity},
		{"a claim that is a list", goodToken, claim("payload", "groups"), envoy("GET", "/parts/7"), codes.PermissionDenied, 403, NoIdentity},
		{"a claim that is a block", goodToken, claim("payload"), envoy("GET", "/parts/7"), codes.PermissionDenied, 403, NoIdentity},
		{"no metadata", goodToken, claim("payload", "email"), envoy("GET", "/parts/7", func(a *authv3.AttributeContext) { a.MetadataContext = nil }), codes.PermissionDenied, 403, NoIdentity},
		{"no HTTP", goodToken, byUser, &authv3.CheckRequest{}, codes.PermissionDenied, 403, AmbiguousRequest},
		{"a bad token", "bad", byUser, envoy("GET", "/parts/7"), codes.Unauthenticated, 401, "unauthenticated"},
		{"a token for something else", limitedToken, byUser, envoy("GET", "/parts/7"), codes.PermissionDenied, 403, ForbiddenToken},
		{"tokens can't be looked up", downToken, byUser, envoy("GET", "/parts/7"), codes.Unavailable, 503, "unavailable"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			client := authv3.NewAuthorizationClient(dial(t, newGate(t, newWorld(), Settings{Identity: tt.identity, Reasons: true})))
			out, err := client.Check(withToken(t.Context(), tt.token), tt.in)
			if err != nil {
				t.Fatal(err)
			}
			told := out.GetOkResponse().GetResponseHeadersToAdd()
			if out.GetOkResponse() == nil {
				told = out.GetDeniedResponse().GetHeaders()
			}
			if got := codes.Code(out.GetStatus().GetCode()); got != tt.code || int32(out.GetDeniedResponse().GetStatus().GetCode()) != tt.status {
				t.Errorf("Check = %v %v, want %v %d", got, out.GetDeniedResponse().GetStatus(), tt.code, tt.status)
			}
			if len(told) == 0 || told[0].GetHeader().GetKey() != "usherd-reason" || told[0].GetHeader().GetValue() != tt.reason {
				t.Errorf("Check tells %v, want the reason %s", told, tt.reason)
			}
			if (out.GetOkResponse() != nil) != (tt.code == codes.OK) {
				t.Errorf("Check = %v beside the code %v", out.GetHttpResponse(), tt.code)
			}
		})
	}
}

func TestEnvoyGetsNoReasonsUnasked(t *testing.T) {
	client := authv3.NewAuthorizationClient(dial(t, newGate(t, newWorld(), Settings{Identity: byUser})))
	out, err := client.Check(withToken(t.Context(), goodToken), requestOf("PUT", "/parts/7"))
	if err != nil || len(out.GetDeniedResponse().GetHeaders()) > 0 {
		t.Errorf("Check = %v, %v, want no headers", out, err)
	}
}

func TestMessagesHaveALimitAndATokenComesFirst(t *testing.T) {
	w := newWorld()
	client := authv3.NewAuthorizationClient(dial(t, newGate(t, w, Settings{Identity: byUser})))
	in := requestOf("GET", "/parts/7")
	in.Attributes.Request.Http.Body = string(make([]byte, MaxMessage))
	if _, err := client.Check(withToken(t.Context(), goodToken), in); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("Check(%d bytes) = %v, want ResourceExhausted", MaxMessage, err)
	}
	out, err := client.Check(t.Context(), requestOf("GET", "/parts/7"))
	if err != nil || out.GetDeniedResponse().GetStatus().GetCode() != 401 || w.asked != 0 {
		t.Errorf("Check without a token = %v, %v after %d questions, want 401 and none", out, err, w.asked)
	}
}

func TestHealth(t *testing.T) {
	ready := true
	g, err := New(Config{Evaluator: newWorld(), Caller: callers, Ready: func() bool { return ready }})
	if err != nil {
		t.Fatal(err)
	}
	client := healthv1.NewHealthClient(dial(t, g))
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{healthv1.HealthCheckResponse_SERVING, healthv1.HealthCheckResponse_NOT_SERVING} {
		for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
			out, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
			if err != nil || out.GetStatus() != want {
				t.Errorf("Check(%q) = %v, %v, want %v", service, out, err, want)
			}
		}
		ready = false
	}
	if _, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: "other"}); status.Code(err) != codes.NotFound {
		t.Errorf("Check(other) = %v, want NotFound", err)
	}
}
