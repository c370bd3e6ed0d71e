package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A safeguard is one limit above which what a directory says waits for an
// administrator.
type safeguard struct {
	Key, Title, Unit string
	Default          int
	Value            string // as it is set; empty: the default
}

// safeguards are all limits, with the defaults that ldapsync documents.
var safeguards = []safeguard{
	{Key: "disabledPercent", Title: "People who lose access in one run, or in 24 hours", Unit: "%", Default: 5},
	{Key: "disabledMin", Title: "… and at least so many", Unit: "people", Default: 20},
	{Key: "membersPercent", Title: "Members that one group loses", Unit: "%", Default: 20},
	{Key: "membersAbove", Title: "… of groups of more members than", Unit: "members", Default: 20},
	{Key: "adminGrowth", Title: "New people in a group that gives an administration right", Unit: "people", Default: 5},
	{Key: "vanishPercent", Title: "People from whom an attribute vanishes", Unit: "%", Default: 20},
	{Key: "vanishMin", Title: "… and at least so many", Unit: "people", Default: 20},
	{Key: "renamedPercent", Title: "People, or groups, that get another name in one run", Unit: "%", Default: 5},
	{Key: "renamedMin", Title: "… and at least so many", Unit: "names", Default: 20},
}

// now is the limit that counts.
func (g safeguard) now() string {
	if g.Value == "" {
		return strconv.Itoa(g.Default)
	}
	return g.Value
}

func (g safeguard) percent() bool { return g.Unit == "%" }

// safeguardsOf are the limits of a source, those that are named first if any are.
func safeguardsOf(settings json.RawMessage) ([]safeguard, error) {
	var set struct {
		Thresholds map[string]int `json:"thresholds"`
	}
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &set); err != nil {
			return nil, fmt.Errorf("reading settings: %w", err)
		}
	}
	out := make([]safeguard, len(safeguards))
	for i, g := range safeguards {
		if n := set.Thresholds[g.Key]; n != 0 {
			g.Value = strconv.Itoa(n)
		}
		out[i] = g
	}
	return out, nil
}

// A safeguardsView is the form of the limits of a source.
type safeguardsView struct {
	Name    directory.SourceName
	All     []safeguard
	Was     string
	Problem string
	Held    []string // why something waits now
}

func (c *Console) safeguards(req request) (templ.Component, error) {
	v, _, err := c.safeguardsView(req)
	if err != nil {
		return nil, err
	}
	return c.frame(req, "Safeguards of "+string(v.Name), safeguardsTemplate(v)), nil
}

func (c *Console) safeguardsView(req request) (safeguardsView, admin.SourcePage, error) {
	page, err := c.editable(req, directory.KindLDAP)
	if err != nil {
		return safeguardsView{}, page, err
	}
	v := safeguardsView{Name: page.Name, Was: versionOf(page.Settings)}
	if v.All, err = safeguardsOf(page.Settings); err != nil {
		return v, page, err
	}
	holds, err := c.Service.Holds(req.Context())
	if err != nil {
		return v, page, err
	}
	for _, h := range holds {
		if h.Source == page.Name {
			v.Held = h.Reasons
		}
	}
	return v, page, nil
}

// saveSafeguards sets the limits of a source. They count from the next run on.
func (c *Console) saveSafeguards(req request) (templ.Component, error) {
	v, _, err := c.safeguardsView(req)
	if err != nil {
		return nil, err
	}
	if req.PostForm.Get("was") != v.Was {
		v.Problem = "Somebody changed the settings of this source since the form was filled. These are theirs."
		return c.refuseSafeguards(req, v)
	}
	thresholds := map[string]int{}
	for i, g := range v.All {
		v.All[i].Value = strings.TrimSpace(req.PostForm.Get(g.Key))
		if v.All[i].Value == "" {
			continue
		}
		n, err := strconv.Atoi(v.All[i].Value)
		if err != nil || n < 1 {
			v.Problem = g.Key + ": write a number from 1 on, or nothing for the default."
			continue
		}
		thresholds[g.Key] = n
	}
	if v.Problem != "" {
		return c.refuseSafeguards(req, v)
	}
	text := json.RawMessage("null")
	if len(thresholds) > 0 {
		if text, err = json.Marshal(thresholds); err != nil {
			return nil, fmt.Errorf("encoding the limits: %w", err)
		}
	}
	if _, err := c.Service.SetSource(req.Context(), req.by, v.Name, map[string]json.RawMessage{"thresholds": text}); err != nil {
		if v.Problem, err = asked(err); err != nil {
			return nil, err
		}
		return c.refuseSafeguards(req, v)
	}
	return c.redirect(req, sourcePath(v.Name), "Saved. The limits count from the next run on.")
}

func (c *Console) refuseSafeguards(req request, v safeguardsView) (templ.Component, error) {
	c.show(req.w, req.Request, http.StatusUnprocessableEntity, c.frame(req, "Safeguards of "+string(v.Name), safeguardsTemplate(v)))
	return nil, nil
}
