package console

import (
	"net/url"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A freshView is where an answer about somebody comes from.
type freshView struct {
	admin.Freshness
	May  bool   // purge, and read again
	Back string // the query of the page
}

// freshness tells where an answer about the present comes from; nil if that
// can't be told.
func (c *Console) freshness(req request, user directory.UserID) (*freshView, error) {
	if user == "" || req.URL.Query().Get("at") != "" {
		return nil, nil //nolint:nilnil // there is nothing to compare
	}
	fresh, err := c.Service.Freshness(req.Context(), string(user))
	if err != nil {
		_, err = asked(err)
		return nil, err // gone meanwhile: the answer says so itself
	}
	return &freshView{fresh, req.viewer.Can(admin.OperateSync), req.URL.Query().Encode()}, nil
}

// forgetCached purges somebody from the cache of this process.
func (c *Console) forgetCached(req request) (templ.Component, error) {
	back, err := url.ParseQuery(req.PostForm.Get("back"))
	if err != nil {
		return nil, errForm
	}
	if err := c.Service.ForgetCached(req.Context(), req.by, req.PostForm.Get("user")); err != nil {
		return nil, err
	}
	return c.redirect(req, "/explain?"+back.Encode(), "Purged: what is shown was read from the store just now.")
}
