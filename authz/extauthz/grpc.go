package extauthz

import (
	"context"
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

// MaxMessage bounds what Envoy tells of one request, in bytes.
const MaxMessage = 256 << 10

// Register adds Envoy's authorization service and the health service to srv.
func (g *Gate) Register(srv *grpc.Server) {
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: authv3.Authorization_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Check", Handler: g.check}},
		Metadata:    authv3.Authorization_ServiceDesc.Metadata,
	}, g)
	healthv1.RegisterHealthServer(srv, health{ready: g.cfg.Ready})
}

// check answers one request of Envoy. It stands in place of the generated
// handler so that nothing is decoded for whoever shows no valid token.
func (g *Gate) check(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	s := g.settings.Load()
	if s == nil {
		return g.tell(nil, g.unavailable(errOff)), nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	by, v := g.admit(bearer(md["authorization"], true))
	if by == nil {
		return g.tell(s, v), nil
	}
	var in authv3.CheckRequest
	if err := decode(&in); err != nil {
		return nil, err // grpc's own: not a message
	}
	asked, reason := s.described(in.GetAttributes())
	if reason != "" {
		return g.tell(s, denied(reason)), nil
	}
	return g.tell(s, g.judge(ctx, by, s, &asked)), nil
}

// described reads what Envoy tells of a request.
func (s *Settings) described(a *authv3.AttributeContext) (r request, reason string) {
	h := a.GetRequest().GetHttp()
	if h == nil {
		return r, AmbiguousRequest // a connection that is not HTTP
	}
	r = request{method: h.GetMethod(), host: h.GetHost(), target: h.GetPath()}
	switch s.Identity.From {
	case FromHeader:
		r.identity = headerValues(h, s.Identity.Header)
	case FromPrincipal:
		if name := a.GetSource().GetPrincipal(); name != "" {
			r.identity = []string{name}
		}
	case FromMetadata:
		if name, ok := dig(a.GetMetadataContext(), s.Identity.Metadata); ok {
			r.identity = []string{name}
		}
	}
	return r, ""
}

// headerValues are all values of a header, in either of the forms in which
// Envoy sends headers.
func headerValues(h *authv3.AttributeContext_HttpRequest, name string) (values []string) {
	for _, v := range h.GetHeaderMap().GetHeaders() {
		if strings.EqualFold(v.GetKey(), name) {
			text := v.GetValue()
			if text == "" {
				text = string(v.GetRawValue())
			}
			values = append(values, text)
		}
	}
	for key, v := range h.GetHeaders() {
		if strings.EqualFold(key, name) {
			values = append(values, v)
		}
	}
	return values
}

// dig looks for the string at a path in what filters found out.
func dig(m *corev3.Metadata, path []string) (string, bool) {
	found := m.GetFilterMetadata()[path[0]]
	for _, key := range path[1 : len(path)-1] {
		found = found.GetFields()[key].GetStructValue()
	}
	v, ok := found.GetFields()[path[len(path)-1]].GetKind().(*structpb.Value_StringValue)
	if !ok {
		return "", false
	}
	return v.StringValue, true
}

// rpcCodes are the codes beside each status. Envoy lets pass on OK alone.
var rpcCodes = map[int]codes.Code{
	http.StatusForbidden: codes.PermissionDenied, http.StatusUnauthorized: codes.Unauthenticated,
	http.StatusServiceUnavailable: codes.Unavailable,
}

// tell is the answer to Envoy. An error is told as a denial and not as an error
// of the call, which failure_mode_allow would turn into an allow.
func (g *Gate) tell(s *Settings, v verdict) *authv3.CheckResponse {
	g.cfg.Observe("envoy_grpc", v.reason)
	var headers []*corev3.HeaderValueOption
	if s != nil && s.Reasons {
		headers = append(headers, header("usherd-reason", v.reason))
	}
	if v.allow {
		return &authv3.CheckResponse{
			Status:       &rpcstatus.Status{Code: int32(codes.OK)},
			HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{ResponseHeadersToAdd: headers}},
		}
	}
	code, known := rpcCodes[v.status]
	if !known {
		code, v.status = codes.PermissionDenied, http.StatusForbidden
	}
	if v.status == http.StatusServiceUnavailable {
		headers = append(headers, header("retry-after", retryAfter(v.retry)))
	}
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(code)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(v.status)}, //nolint:gosec // one of three
			Headers: headers,
		}},
	}
}

func header(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}

// health answers gRPC health checks. It tells nothing but whether there are
// answers, so it needs no token.
type health struct {
	healthv1.UnimplementedHealthServer
	ready func() bool
}

// Check implements [healthv1.HealthServer].
func (h health) Check(_ context.Context, in *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	switch in.GetService() {
	case "", authv3.Authorization_ServiceDesc.ServiceName:
	default:
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	answer := healthv1.HealthCheckResponse_NOT_SERVING
	if h.ready() {
		answer = healthv1.HealthCheckResponse_SERVING
	}
	return &healthv1.HealthCheckResponse{Status: answer}, nil
}
