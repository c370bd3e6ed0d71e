package console

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// cataloguePages show and edit what applications protect.
func (c *Console) cataloguePages() {
	c.page("GET /catalogue", c.catalogue)
	c.page("GET /catalogue/{kind}", c.catalogueItem)
	c.page("POST /catalogue/{kind}", c.saveItem)
	c.page("POST /catalogue/{kind}/delete", c.deleteItem)
	c.page("POST /catalogue/features/move", c.moveFeature)
}

// The kinds of item that the catalogue's own forms edit.
const (
	kindFeatures  = "features"
	kindOutputs   = "outputs"
	kindResources = "resources"
	// The catalogue shows them, and their own pages edit them.
	kindIntegrations = "integrations"
)

var errNoKind = errors.New("no such kind of item")

// A catalogueView is the catalogue.
type catalogueView struct {
	admin.Catalogue
	Reasons map[string]string // why a kind can't be edited, by kind
	Sees    map[string]bool   // connections whose page the viewer may open, by key
	Problem string
	State
	Shown int                 // of all kinds
	All   []directory.Feature // also those that the search leaves out
}

// catalogueSpec is what the catalogue is searched and narrowed by.
var catalogueSpec = ListSpec{Name: "catalogue", Filters: []Filter{{Key: "kind", Title: "Kind", Options: []Option{
	{kindFeatures, "Features"}, {kindOutputs, "Outputs"}, {kindResources, "Other resources"}, {kindIntegrations, "Integrations"},
}}}}

// shows reports whether the items of a kind are shown.
func (v catalogueView) shows(kind string) bool { return cmp.Or(v.Filter["kind"], kind) == kind }

// shown reports whether a kind is shown of which the search found n items: without
// any it is left out of what was narrowed.
func (v catalogueView) shown(kind string, n int) bool {
	return v.shows(kind) && (n > 0 || !v.filtered())
}

// place is where the home page has a feature, from 0.
func (v catalogueView) place(key string) int {
	return slices.IndexFunc(v.All, func(f directory.Feature) bool { return f.Key == key })
}

// movable reports whether features can be put in order: all of them are seen.
func (v catalogueView) movable() bool { return v.Reasons[kindFeatures] == "" && !v.filtered() }

// narrowed leaves the items that the search finds.
func (v catalogueView) narrowed() catalogueView {
	v.All = v.Features
	v.Features = holding(v.Q, v.Features, func(f directory.Feature) []string { return append([]string{f.Key, f.Title}, f.Actions...) })
	v.Outputs = holding(v.Q, v.Outputs, func(o directory.Output) []string { return []string{o.Key, o.Title, v.featureTitle(o.Feature)} })
	v.Resources = holding(v.Q, v.Resources, func(r directory.ResourceType) []string { return slices.Concat([]string{r.Type}, r.Actions, r.IDs) })
	v.Integrations = holding(v.Q, v.Integrations, func(i directory.Integration) []string { return []string{i.Key, i.Title} })
	for kind, n := range map[string]int{
		kindFeatures: len(v.Features), kindOutputs: len(v.Outputs), kindResources: len(v.Resources), kindIntegrations: len(v.Integrations),
	} {
		if v.shows(kind) {
			v.Shown += n
		}
	}
	return v
}

// holding are the items of which a word holds the search, in any case.
func holding[T any](q string, all []T, of func(T) []string) []T {
	return slices.DeleteFunc(slices.Clone(all), func(item T) bool {
		return !slices.ContainsFunc(of(item), func(word string) bool { return strings.Contains(strings.ToLower(word), strings.ToLower(q)) })
	})
}

// featureTitle names the feature that an output belongs to.
func (v catalogueView) featureTitle(key string) string {
	for _, f := range v.All {
		if f.Key == key {
			return titleFor(f.Title, key)
		}
	}
	return titleFor(key, "--")
}

func (c *Console) catalogue(req request) (templ.Component, error) { return c.showCatalogue(req, "") }

func (c *Console) showCatalogue(req request, problem string) (templ.Component, error) {
	cat, err := c.Service.Catalogue(req.Context())
	if err != nil {
		return nil, err
	}
	connections, err := c.Service.Integrations(req.Context())
	if err != nil {
		return nil, err
	}
	v := catalogueView{Catalogue: cat, Reasons: map[string]string{}, Sees: map[string]bool{}, Problem: problem, State: c.state(req, catalogueSpec)}
	v.Path = "/catalogue" // also where a form was sent elsewhere
	for _, i := range connections {
		v.Sees[i.Key] = true
	}
	for _, kind := range []string{kindFeatures, kindOutputs, kindResources} {
		v.Reasons[kind] = catalogueReason(req, cat, kind)
	}
	return c.frame(req, "Catalogue", catalogueTemplate(v.narrowed())), nil
}

func catalogueReason(req request, cat admin.Catalogue, kind string) string {
	switch managed := cat.ManagedBy[directory.Section(kind)]; {
	case managed != "":
		return "Managed by " + managed + "; change it there"
	case !req.viewer.Can(admin.WritePolicy):
		return "Needs the right " + string(directory.PolicyManage)
	}
	return ""
}

// An itemForm edits one item of the catalogue.
type itemForm struct {
	Kind, Key, Title  string
	New               bool
	Actions, IDs      string // one a line
	Monthly, Currency string
	Feature           string
	Features          []Option
	Revision          directory.Revision
	Told              told
	Impact            *impactView
	Reason            string
}

func (f itemForm) heading() string {
	one := map[string]string{kindFeatures: "feature", kindOutputs: "output", kindResources: "resource type"}[f.Kind]
	if f.New {
		return "New " + one
	}
	return "Edit " + one + " " + f.Key
}

func (c *Console) catalogueItem(req request) (templ.Component, error) {
	f, err := c.itemForm(req, req.PathValue("kind"), req.URL.Query().Get("key"))
	if err != nil {
		return nil, err
	}
	return c.frame(req, f.heading(), itemFormTemplate(f)), nil
}

func (c *Console) itemForm(req request, kind, key string) (itemForm, error) {
	cat, err := c.Service.Catalogue(req.Context())
	if err != nil {
		return itemForm{}, err
	}
	f := itemForm{Kind: kind, Key: key, New: true, Revision: cat.Revision, Reason: catalogueReason(req, cat, kind)}
	for _, o := range cat.Features {
		f.Features = append(f.Features, Option{o.Key, titleFor(o.Title, o.Key)})
	}
	switch kind {
	case kindFeatures:
		if i := slices.IndexFunc(cat.Features, func(o directory.Feature) bool { return o.Key == key }); i >= 0 {
			o := cat.Features[i]
			f.New, f.Title, f.Actions = false, o.Title, strings.Join(o.Actions, "\n")
			if o.Seat != nil {
				f.Monthly, f.Currency = o.Seat.Monthly, o.Seat.Currency
			}
		}
	case kindOutputs:
		if i := slices.IndexFunc(cat.Outputs, func(o directory.Output) bool { return o.Key == key }); i >= 0 {
			f.New, f.Title, f.Feature = false, cat.Outputs[i].Title, cat.Outputs[i].Feature
		}
	case kindResources:
		if i := slices.IndexFunc(cat.Resources, func(o directory.ResourceType) bool { return o.Type == key }); i >= 0 {
			f.New, f.Actions, f.IDs = false, strings.Join(cat.Resources[i].Actions, "\n"), strings.Join(cat.Resources[i].IDs, "\n")
		}
	default:
		return f, errors.Join(errNoKind, directory.ErrNotFound)
	}
	return f, nil
}

// saveItem saves an item; of what raises or lowers the bill, after a look.
func (c *Console) saveItem(req request) (templ.Component, error) {
	form, kind := req.PostForm, req.PathValue("kind")
	key := strings.TrimSpace(form.Get("key"))
	f, err := c.itemForm(req, kind, key)
	if err != nil {
		return nil, err
	}
	taken := form.Get("new") != "" && !f.New
	f.New = form.Get("new") != ""
	f.Title, f.Actions, f.IDs, f.Feature = strings.TrimSpace(form.Get("title")), form.Get("actions"), form.Get("ids"), form.Get("feature")
	f.Monthly, f.Currency = strings.TrimSpace(form.Get("monthly")), strings.TrimSpace(form.Get("currency"))
	revision := revisionOf(req)
	save := func(ctx context.Context) (admin.Outcome, error) { return c.putItem(ctx, req, f, revision) }
	impact, err := c.tried(req, save)
	switch {
	case taken:
		f.Told.add("key", key+" is there already")
	case err == nil && (impact.nothing() && !impact.costs() || form.Get("seen") == f.fingerprint() && impact.confirmed(req)):
		if _, err = save(req.Context()); err == nil {
			return c.redirect(req, "/catalogue", key+" saved.")
		}
	case err == nil:
		f.Impact = &impact
	}
	if err != nil {
		var ours bool
		if f.Told, ours = c.told(req, err, directory.Section(kind), itemFields...); !ours {
			return nil, err
		}
	}
	return c.frame(req, f.heading(), itemFormTemplate(f)), nil
}

// itemFields are the fields of the form of an item, by their ids.
var itemFields = []string{"key", "title", "actions", "ids", "monthly", "currency", "feature"}

// fingerprint tells apart what was previewed from what is asked for now.
func (f itemForm) fingerprint() string {
	return strings.Join([]string{f.Key, f.Title, f.Actions, f.IDs, f.Monthly, f.Currency, f.Feature}, "|")
}

func (c *Console) putItem(ctx context.Context, req request, f itemForm, revision directory.Revision) (admin.Outcome, error) {
	switch f.Kind {
	case kindFeatures:
		item := directory.Feature{Key: f.Key, Title: f.Title, Actions: strings.Fields(f.Actions)}
		if f.Monthly != "" || f.Currency != "" {
			item.Seat = &directory.Seat{Monthly: f.Monthly, Currency: f.Currency}
		}
		return c.Service.PutFeature(ctx, req.by, item, admin.Keep, revision)
	case kindOutputs:
		return c.Service.PutOutput(ctx, req.by, directory.Output{Key: f.Key, Title: f.Title, Feature: f.Feature}, revision)
	}
	return c.Service.PutResource(ctx, req.by, directory.ResourceType{Type: f.Key, Actions: strings.Fields(f.Actions), IDs: strings.Fields(f.IDs)}, revision)
}

// deleteItem is refused while a key is in use; the page says by what.
func (c *Console) deleteItem(req request) (templ.Component, error) {
	key, revision := req.PostForm.Get("key"), revisionOf(req)
	var err error
	switch req.PathValue("kind") {
	case kindFeatures:
		_, err = c.Service.DeleteFeature(req.Context(), req.by, key, revision)
	case kindOutputs:
		_, err = c.Service.DeleteOutput(req.Context(), req.by, key, revision)
	case kindResources:
		_, err = c.Service.DeleteResource(req.Context(), req.by, key, revision)
	default:
		err = errors.Join(errNoKind, directory.ErrNotFound)
	}
	if _, ours := problems(err); ours {
		return c.showCatalogue(req, key+" is not removed: "+c.usesOf(req, err, directory.Section(req.PathValue("kind")))+".")
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, "/catalogue", key+" removed.")
}

// placeOf is where a form wants a thing that is at a place: dragged to another
// one, or one step up or down.
func placeOf(req request, at int) (int, bool) {
	if to, err := strconv.Atoi(req.PostForm.Get("to")); err == nil {
		return to, true
	}
	step, err := strconv.Atoi(req.PostForm.Get("step"))
	return at + step, err == nil && step*step == 1
}

// moveFeature gives a feature another place on the home page.
func (c *Console) moveFeature(req request) (templ.Component, error) {
	cat, err := c.Service.Catalogue(req.Context())
	if err != nil {
		return nil, err
	}
	key := req.PostForm.Get("key")
	i := slices.IndexFunc(cat.Features, func(f directory.Feature) bool { return f.Key == key })
	to, ok := placeOf(req, i)
	if i < 0 || !ok || to < 0 || to >= len(cat.Features) || to == i {
		return c.redirect(req, "/catalogue", "")
	}
	_, err = c.Service.PutFeature(req.Context(), req.by, cat.Features[i], to, revisionOf(req))
	if said, ours := problems(err); ours {
		return c.showCatalogue(req, strings.Join(said, "; "))
	}
	if err != nil {
		return nil, err
	}
	return c.redirect(req, "/catalogue#feature-"+key, key+" moved.")
}
