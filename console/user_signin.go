package console

import (
	"fmt"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
)

// releaseVerb is the last part of the address that releases the accounts of a
// user, asked (GET) and done (POST).
const releaseVerb = "release-sign-in"

// Releasable says whether an account of an identity provider is bound to the
// user, and this viewer may release it.
func (v userView) Releasable() bool { return !v.Gone && v.MayChange && len(v.SignIns) > 0 }

// confirmRelease asks before the accounts of a user are released. What the user
// may do does not change, so that there is nothing to preview.
func confirmRelease(v userView) (templ.Component, error) {
	if err := v.Viewer.Require(admin.WriteUsers, ""); err != nil {
		return nil, err
	}
	if !v.MayChange {
		return nil, fmt.Errorf("%w: this user holds a right that you lack", admin.ErrForbidden)
	}
	q := confirmView{Action: v.Path + "/" + releaseVerb, Back: v.Path, Title: "Release the sign-in of " + v.Name + "?", Button: "Release"}
	q.Warning = "Sessions that the bound account began end at once. Whoever signs in next and is this user by what the source says is bound: " +
		"if that can be somebody else now, correct the source first."
	q.Plain = true
	return confirmTemplate(q), nil
}

func (c *Console) releaseSignIn(req request) (templ.Component, error) {
	id := req.PathValue("id")
	out, err := c.Service.ReleaseSignIn(req.Context(), req.by, id)
	if err != nil {
		return nil, err
	}
	if out.Accounts+out.Sessions == 0 {
		return c.redirect(req, "/users/"+id, capital(out.Note)+".")
	}
	return c.redirect(req, "/users/"+id, fmt.Sprintf("Released, %d %s ended. %s.", out.Sessions, plural(out.Sessions, "session", "sessions"), capital(out.Note)))
}
