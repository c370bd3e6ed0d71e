package extauthz

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/directory"
)

// BenchmarkGate reports what a request of a proxy costs beside the plain
// evaluation inside it: path, table, identity, headers.
func BenchmarkGate(b *testing.B) {
	w := newWorld()
	g := newGate(b, w, Settings{Identity: byUser})
	r := httptest.NewRequest("GET", "/", nil)
	r.RequestURI, r.Host, r.Header = PathEnvoy+"/parts/7?q=1", "app.example.com", headers("Authorization", bearerGood, "X-Auth-Request-User", "kim")
	queries := []authzen.Query{{Subject: authzen.SubjectKey("user", "kim")}}
	queries[0].Request, _ = mustTable(b, guarded).Find("GET", "app.example.com", "/parts/7")
	queries[0].Request.SubjectType = "user"
	var gate, plain time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begun := time.Now()
		out := httptest.NewRecorder()
		g.ServeHTTP(out, r)
		between := time.Now()
		answers := make([]authzen.Answer, 1)
		_, err := w.Evaluate(b.Context(), directory.Stamp{}, queries, answers)
		plain += time.Since(between)
		gate += between.Sub(begun)
		if out.Code != 200 || err != nil || !answers[0].Decision.Allow {
			b.Fatalf("gate %d, plain %v %v", out.Code, answers[0].Decision, err)
		}
	}
	b.ReportMetric(float64(gate)/float64(plain), "ratio")
}
