package console

import (
	"context"
	"strconv"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
)

// askSwitch asks whether a mapping is to give something again, or nothing any
// more.
func (c *Console) askSwitch(req request, enable bool, stale []string) (templ.Component, error) {
	name := req.PathValue("name")
	v := mappingAsk{
		Title: "Disable mapping " + name, Text: "It gives nothing until it is enabled again. What it is bound to stays.", Do: "Disable",
		Path: mappingPath(name) + "/disable", Back: mappingPath(name), Danger: true, Stale: stale,
	}
	if enable {
		v.Title, v.Text, v.Do, v.Path, v.Danger = "Enable mapping "+name, "It gives what it says again, to the groups that it is bound to.", "Enable", mappingPath(name)+"/enable", false
	}
	var err error
	if v.mappingHead, err = c.mappingHead(req); err != nil {
		return nil, err
	}
	if v.Impact, err = c.triedSwitch(req, enable); err != nil {
		said, ours := problems(err)
		if !ours {
			return nil, err
		}
		v.Impact = impactView{Problems: said, Unchanged: -1}
	}
	v.Fields = map[string]string{"seen": strconv.Itoa(v.Impact.Changing)}
	return c.frame(req, v.Title, mappingAskTemplate(v)), nil
}

func (c *Console) triedSwitch(req request, enable bool) (impactView, error) {
	return c.tried(req, func(ctx context.Context) (admin.Outcome, error) {
		return c.Service.SetMappingEnabled(ctx, req.by, req.PathValue("name"), enable, 0)
	})
}

// switchMapping does it, if it still does what was shown.
func (c *Console) switchMapping(enable bool) page {
	return func(req request) (templ.Component, error) {
		name := req.PathValue("name")
		impact, err := c.triedSwitch(req, enable)
		switch {
		case err != nil:
		case req.PostForm.Get("seen") != strconv.Itoa(impact.Changing):
			return c.askSwitch(req, enable, []string{"What this does has changed since the page was shown. Look at it again."})
		case !impact.confirmed(req):
			return c.askSwitch(req, enable, []string{"Type the number of people that this touches."})
		default:
			_, err = c.Service.SetMappingEnabled(req.Context(), req.by, name, enable, 0)
		}
		if said, ours := problems(err); ours {
			return c.askSwitch(req, enable, said)
		}
		if err != nil {
			return nil, err
		}
		if enable {
			return c.redirect(req, mappingPath(name), "Enabled mapping "+name+".")
		}
		return c.redirect(req, mappingPath(name), "Disabled mapping "+name+".")
	}
}
