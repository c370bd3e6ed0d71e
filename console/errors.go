package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/usherd/usherd/admin"
	"go.uber.org/zap"
)

// A problemView is an error as a page shows it.
type problemView struct {
	Status int
	Title  string
	Detail string // what to do
	Out    bool   // nobody is signed in
}

// back is where the page leads on to.
func (p problemView) back() string {
	if p.Out {
		return "Sign in"
	}
	return "Overview"
}

// fail shows an error. It is the one place where one becomes a status.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, viewer *Viewer, err error) {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		c.Log.Error("page", zap.String("action", r.Pattern), zap.String("request_id", w.Header().Get("X-Request-Id")), zap.Error(err))
	}
	if viewer == nil {
		p.Out = true
		c.show(w, r, p.Status, bareProblem(p))
		return
	}
	r = r.WithContext(admin.WithPrincipal(r.Context(), actor(viewer.ID)))
	c.show(w, r, p.Status, c.frame(request{Request: r, w: w, viewer: viewer}, p.Title, problemTemplate(p)))
}

func problemOf(err error) problemView {
	switch {
	case errors.Is(err, errLink):
		return problemView{Status: http.StatusGone, Title: "This link can't be used", Detail: "It was used already, or is older than ten minutes. Make a new one with: usherd login USER"}
	case errors.Is(err, errCrossOrigin):
		return problemView{Status: http.StatusForbidden, Title: "Refused", Detail: "Another site's page asked for this. Open the console and do it there."}
	case errors.Is(err, errSignIn):
		return problemView{Status: http.StatusBadRequest, Title: "Sign in again", Detail: "The answer of the identity provider does not belong to a sign-in that this browser began within ten minutes."}
	case errors.Is(err, errNoUser):
		return problemView{Status: http.StatusForbidden, Title: "You are not known here", Detail: "The identity provider knows you, but no active user here belongs to you. Ask an administrator."}
	case errors.Is(err, errProvider):
		return problemView{Status: http.StatusBadGateway, Title: "The identity provider failed", Detail: "Try again. If it stays so, an administrator finds the reason in the log of the daemon."}
	case errors.Is(err, errForm):
		return problemView{Status: http.StatusBadRequest, Title: "This form can't be read", Detail: "Go back, load the page again and repeat it."}
	}
	if bound, ok := errors.AsType[*admin.BoundError](err); ok {
		return problemView{
			Status: http.StatusForbidden, Title: "Another account is bound to this user",
			Detail: "The user here whom your account fits is bound to another account of the identity provider. " +
				"An administrator can release it: Users, the page of that user, Sign-in, Release; or: usherd user release-sign-in " + string(bound.User),
		}
	}
	if errors.Is(err, errNoPage) {
		return problemView{Status: http.StatusNotFound, Title: "Not found", Detail: "Nothing is at this address any more, or nothing ever was."}
	}
	p := admin.ProblemOf(err)
	return problemView{Status: p.Status, Title: capital(p.Title), Detail: capital(beyond(p.Title, withoutKind(p.Detail)))}
}

// beyond is what a detail says that the title above it does not.
func beyond(title, detail string) string {
	for {
		if len(detail) < len(title) || !strings.EqualFold(detail[:len(title)], title) {
			return detail
		}
		rest := detail[len(title):]
		if rest == "" {
			return ""
		}
		after, ok := strings.CutPrefix(rest, ": ")
		if !ok {
			return detail
		}
		detail = after
	}
}
