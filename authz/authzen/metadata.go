package authzen

import (
	"net/http"
	"net/url"
	"strings"
)

// metadata returns the configuration document (AuthZEN 1.0, section 9) and
// where it is served: the well-known path is followed by the path of the
// daemon's address, so that the document's identifier is the one from which its
// place was formed. There is none if the daemon has no https address to put
// into it.
func (h *Handler) metadata() (path string, body []byte) {
	base := strings.TrimRight(h.cfg.URL, "/")
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", nil
	}
	b, first := []byte{'{'}, true
	add := func(key, value string) {
		b = append(appendString(comma(b, &first), key), ':')
		b = appendString(b, value)
	}
	add("policy_decision_point", base)
	add("access_evaluation_endpoint", base+PathEvaluation)
	add("access_evaluations_endpoint", base+PathEvaluations)
	if h.searchesSubjects() {
		add("search_subject_endpoint", base+PathSubjectSearch)
	}
	if h.cfg.Viewer != nil {
		add("search_resource_endpoint", base+PathResourceSearch)
		add("search_action_endpoint", base+PathActionSearch)
	}
	return PathMetadata + u.EscapedPath(), append(b, '}', '\n')
}

// serveMetadata answers everybody: the document holds nothing that the
// applications' owners do not tell each other.
func serveMetadata(body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header["Content-Type"] = typeJSON
		header["X-Content-Type-Options"] = noSniff
		header["Cache-Control"] = []string{"public, max-age=3600"}
		if id := r.Header["X-Request-Id"]; len(id) == 1 && harmless(id[0]) {
			header["X-Request-Id"] = id
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header["Allow"] = []string{"GET, HEAD"}
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		_, _ = w.Write(body) // a client that went away is nobody's concern
	})
}
