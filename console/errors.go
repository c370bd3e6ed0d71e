package console

import (
	"errors"
	"net/http"

	"github.com/usherd/usherd/admin"
	"go.uber.org/zap"
)

// A problemView is an error as a page shows it.
type problemView struct {
	Status int
	Title  string
	Detail string // what to do
}

// fail shows an error. It is the one place where one becomes a status.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, viewer *Viewer, err error) {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		c.Log.Error("page", zap.String("action", r.Pattern), zap.String("request_id", w.Header().Get("X-Request-Id")), zap.Error(err))
	}
	if viewer == nil {
		c.show(w, r, p.Status, bareProblem(p))
		return
	}
	c.show(w, r, p.Status, c.frame(request{Request: r, w: w, viewer: viewer}, p.Title, problemTemplate(p)))
}

func problemOf(err error) problemView {
	switch {
	case errors.Is(err, errLink):
		return problemView{http.StatusGone, "This link can't be used", "It was used already, or is older than ten minutes. Make a new one with: usherd login USER"}
	case errors.Is(err, errCrossOrigin):
		return problemView{http.StatusForbidden, "Refused", "Another site's page asked for this. Open the console and do it there."}
	case errors.Is(err, errSignIn):
		return problemView{http.StatusBadRequest, "Sign in again", "The answer of the identity provider does not belong to a sign-in that this browser began within ten minutes."}
	case errors.Is(err, errNoUser):
		return problemView{http.StatusForbidden, "You are not known here", "The identity provider knows you, but no active user here belongs to you. Ask an administrator."}
	case errors.Is(err, errProvider):
		return problemView{http.StatusBadGateway, "The identity provider failed", "Try again. If it stays so, an administrator finds the reason in the log of the daemon."}
	case errors.Is(err, errForm):
		return problemView{http.StatusBadRequest, "This form can't be read", "Go back, load the page again and repeat it."}
	}
	if errors.Is(err, errNoPage) {
		return problemView{http.StatusNotFound, "There is no such page", "Nothing is at this address any more, or nothing ever was."}
	}
	p := admin.ProblemOf(err)
	return problemView{p.Status, capital(p.Title), capital(p.Detail)}
}
