package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// changeUser does what a form of the page of a user asks for.
func (c *Console) changeUser(req request) (templ.Component, error) {
	switch req.PathValue("do") {
	case "details":
		return c.editUser(req)
	case "unblock":
		return c.unblockUser(req)
	case "block":
		return c.blockUser(req)
	case "delete":
		return c.deleteUser(req)
	case "restore":
		return c.restoreUser(req)
	case "join":
		return c.joinGroup(req)
	case releaseVerb:
		return c.releaseSignIn(req)
	case "permissions":
		return c.openPermissions(req)
	case "follow":
		return c.followDirectory(req)
	}
	return nil, errNoPage
}

func (c *Console) editUser(req request) (templ.Component, error) {
	v, err := c.readUser(req)
	if err != nil {
		return nil, err
	}
	form := req.PostForm
	version, _ := strconv.ParseInt(form.Get("version"), 10, 64) // 0 can't be current: it is refused below
	v.Typed = userTyped{Name: form.Get("name"), UserName: form.Get("userName"), Type: directory.UserType(form.Get("type")), Version: version}
	if v.Local != nil && version != v.Local.Version {
		v.Problem = "Somebody changed this user meanwhile. Their values stand beside yours; save again to put yours in their place."
		v.Typed.Version = v.Local.Version
		v.Typed.Theirs = fmt.Sprintf("name %q, userName %q, type %s", v.Local.DisplayName, v.Local.UserName, typeName(v.Type))
		return c.frame(req, v.Name, userTemplate(v, userDetails(v))), nil
	}
	_, err = c.Service.EditUser(req.Context(), req.by, string(v.ID), admin.UserEdit{
		Name: &v.Typed.Name, UserName: &v.Typed.UserName, Type: &v.Typed.Type, Version: version,
	})
	if text, ok := refused(err); ok {
		v.Problem = text
		return c.frame(req, v.Name, userTemplate(v, userDetails(v))), nil
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, v.Path, "Saved.")
}

func (c *Console) unblockUser(req request) (templ.Component, error) {
	id := req.PathValue("id")
	out, err := c.Service.SetBlock(req.Context(), req.by, id, false, "")
	if err != nil {
		return nil, err
	}
	notice := "User enabled."
	if out.Note != "" {
		notice = "The block is lifted, but " + out.Note + "."
	}
	return c.redirect(req, "/users/"+id, notice)
}

func (c *Console) blockUser(req request) (templ.Component, error) {
	id := req.PathValue("id")
	if _, err := c.Service.SetBlock(req.Context(), req.by, id, true, req.PostForm.Get("reason")); err != nil {
		return nil, err
	}
	return c.redirect(req, "/users/"+id, "User disabled.")
}

// A confirmView asks before something is done to one user or group.
type confirmView struct {
	Action, Title, Button, Warning string
	Preview                        effectsView
	Fields                         []Option // hidden ones
	Plain                          bool     // nothing to preview
	Reason                         bool     // asks for one
	Type                           string   // what has to be typed, if anything
	Problem                        string
	Back                           string
}

// confirmUser previews disabling or deleting a user.
func (c *Console) confirmUser(req request, v userView, do string) (templ.Component, error) {
	q := confirmView{Action: v.Path + "/" + do, Back: v.Path}
	action := func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.SetBlock(ctx, req.by, string(v.ID), true, "")
	}
	if do == "block" {
		q.Title, q.Button, q.Reason = "Disable "+v.Name+"?", "Disable", true
		q.Warning = "A disabled user has nothing, whatever a directory says. Enabling gives everything back."
	} else {
		q.Title, q.Button, q.Type = "Delete "+v.Name+"?", "Delete", v.Name
		q.Warning = "Memberships and grants end. For " + inDays(directory.RestoreFor) + " the user can be restored, without them."
		if len(v.ManagedBy) > 0 {
			q.Warning = fmt.Sprintf("%s comes from %s and will return at the next sync: disable instead. %s", v.Name, words(v.ManagedBy), q.Warning)
		}
		action = func(ctx context.Context) (admin.Outcome, error) {
			return c.Service.DeleteUser(ctx, req.by, string(v.ID), 0, true)
		}
	}
	var err error
	if q.Preview, err = c.preview(req, action); err != nil {
		return nil, err
	}
	q.Preview.Ask = false // it is one user, named on the page
	return confirmTemplate(q), nil
}

func (c *Console) deleteUser(req request) (templ.Component, error) {
	v, err := c.readUser(req)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(req.PostForm.Get("typed")) != v.Name {
		return nil, fmt.Errorf("%w: type the name %s to delete the user", directory.ErrInvalid, v.Name)
	}
	if _, err := c.Service.DeleteUser(req.Context(), req.by, string(v.ID), 0, true); err != nil {
		return nil, err
	}
	return c.redirect(req, "/users", v.Name+" was deleted. The user can be restored for "+inDays(directory.RestoreFor)+".")
}

func (c *Console) restoreUser(req request) (templ.Component, error) {
	id := req.PathValue("id")
	out, err := c.Service.RestoreUser(req.Context(), req.by, id)
	if err != nil {
		return nil, err
	}
	return c.redirect(req, "/users/"+id, "User restored. "+out.Note)
}

// openPermissions goes to the editor of permissions with this user alone.
func (c *Console) openPermissions(req request) (templ.Component, error) {
	key, err := c.selected(req, req.PathValue("id"))
	if err != nil {
		return nil, err
	}
	http.Redirect(req.w, req.Request, withQuery("/users/bulk/permissions", "sel", key), http.StatusSeeOther)
	return nil, nil //nolint:nilnil // the browser goes on
}
