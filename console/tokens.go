package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// tokenPages are the pages about tokens.
func (c *Console) tokenPages() {
	c.page("GET /settings/tokens", c.tokens)
	c.page("GET /settings/tokens/new", c.newToken)
	c.page("POST /settings/tokens/new", c.makeToken)
	c.page("GET /settings/tokens/{id}/rotate", c.askRotate)
	c.page("POST /settings/tokens/{id}/rotate", c.rotateToken)
	c.page("GET /settings/tokens/{id}/revoke", c.askRevoke)
	c.page("POST /settings/tokens/{id}/revoke", c.revokeToken)
}

var tokenList = ListSpec{
	Name: "tokens", Title: "Tokens", Noun: "tokens", Searches: "by name or id",
	Columns: []Column{
		{Key: "name", Title: "Name", Default: true},
		{Key: "id", Title: "Prefix", Default: true},
		{Key: "kind", Title: "Kind", Default: true},
		{Key: "may", Title: "May", Default: true},
		{Key: "state", Title: "State", Default: true},
		{Key: "created", Title: "Created", Default: true},
		{Key: "used", Title: "Last used", Default: true},
		{Key: "expires", Title: "Expires", Default: true},
		{Key: "by", Title: "Created by"},
		{Key: "do", Title: "Actions", Default: true, Here: true},
	},
	Filters: []Filter{
		{Key: "kind", Title: "Kind", Options: []Option{{"scim", "SCIM"}, {"check", "Checks"}, {"admin", "Administration"}}},
		{Key: "scope", Title: "Scope", Options: optionsOf(admin.CheckScopes)},
		{Key: "state", Title: "State", Options: []Option{{"active", "active"}, {"expiring", "expiring"}, {"unused", "unused for " + inDays(unusedFor)}, {"expired", "expired"}, {"revoked", "revoked"}}},
	},
}

// expiringWithin is when a token is said to expire soon; unusedFor when it is
// said to be unused.
const (
	expiringWithin = 30 * 24 * time.Hour
	unusedFor      = 90 * 24 * time.Hour
)

func (c *Console) tokens(req request) (templ.Component, error) {
	l := List{ListSpec: tokenList, State: c.state(req, tokenList)}
	all, err := c.Service.Tokens(req.Context())
	if err != nil {
		return nil, err
	}
	slices.Reverse(all) // the newest first
	may := req.viewer.Can(admin.WriteTokens)
	makers := map[string]auditRow{}
	if l.shows("by") {
		if makers, err = c.tokenMakers(req, all); err != nil {
			return nil, err
		}
	}
	for _, t := range all {
		q := strings.ToLower(l.Q)
		if scope := l.Filter["scope"]; scope != "" && (t.Kind != directory.TokenCheck || !slices.Contains(strings.Split(tokenMay(t), ", "), scope)) {
			continue
		}
		if c.tokenMatches(t, l.Filter["kind"], l.Filter["state"]) && (strings.Contains(strings.ToLower(t.Name), q) || strings.HasPrefix(t.ID, q)) {
			row := c.tokenRow(t, may)
			row.Cells["by"] = Cell{Text: cmp.Or(makers[t.ID].Who, "--"), Href: makers[t.ID].WhoHref}
			l.Rows = append(l.Rows, row)
		}
	}
	l.Total = len(l.Rows)
	if may {
		l.Actions = linkButton("New token", "/settings/tokens/new")
	}
	return c.list(req, l)
}

// someTokens is of how many tokens the makers are looked up at once.
const someTokens = 300

// tokenMakers are who made tokens, as far as records are kept, by the token's
// id; none for whoever may not read the audit log.
func (c *Console) tokenMakers(req request, tokens []admin.ListedToken) (map[string]auditRow, error) {
	out := map[string]auditRow{}
	if !req.viewer.Can(admin.ReadAudit) {
		return out, nil
	}
	for part := range slices.Chunk(tokens, someTokens) {
		q := admin.AuditQuery{Limit: 3 * someTokens} // made, limited and revoked
		for _, t := range part {
			q.Targets = append(q.Targets, t.ID)
		}
		var made []directory.AuditHead
		for {
			page, err := c.Service.FindAuditHeads(req.Context(), q)
			if err != nil {
				return nil, err
			}
			for _, h := range page.Items {
				if slices.Contains(h.Types, "token.created") {
					made = append(made, h)
				}
			}
			if q.Before = page.Next; q.Before == 0 {
				break
			}
		}
		for _, r := range c.auditRows(req.Context(), made) {
			out[r.TargetID] = r
		}
	}
	return out, nil
}

func (c *Console) tokenMatches(t admin.ListedToken, kind, state string) bool {
	if kind != "" && kind != string(t.Kind) {
		return false
	}
	active := t.State == admin.TokenActive
	switch state {
	case "":
		return true
	case "expiring":
		return active && t.Expires.Sub(c.Now()) < expiringWithin
	case "unused":
		return active && c.Now().Sub(later(t.LastUsed, t.Created)) > unusedFor
	}
	return t.State == state
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// tokenState is how a token stands, and how that looks.
func (c *Console) tokenState(t admin.ListedToken) (string, Tone) {
	switch {
	case t.State != admin.TokenActive:
		return t.State, Neutral
	case t.Expires.Sub(c.Now()) < expiringWithin:
		return "expires soon", Warn
	}
	return t.State, Good
}

// tokenKinds are what people call the kinds of token.
var tokenKinds = map[directory.TokenKind]string{
	directory.TokenSCIM: "SCIM", directory.TokenCheck: "Checks", directory.TokenAdmin: "Administration",
}

// tokenMay says what a token may be used for.
func tokenMay(t admin.ListedToken) string {
	switch {
	case t.Kind == directory.TokenSCIM:
		return "push to " + string(t.Source)
	case len(t.Scopes) > 0:
		return strings.Join(t.Scopes, ", ")
	case t.Kind == directory.TokenCheck:
		return "evaluate"
	}
	return "all but " + string(directory.OrganizationOwn)
}

func tokenPath(id, verb string) string { return "/settings/tokens/" + id + "/" + verb }

func (c *Console) tokenRow(t admin.ListedToken, may bool) Row {
	state, tone := c.tokenState(t)
	do := Cell{}
	if may && t.State == admin.TokenActive {
		do.Show = tokenActions(t.ID)
	}
	return Row{ID: t.ID, Label: t.Name, Cells: map[string]Cell{
		"name": Text(t.Name), "id": Text(t.ID), "kind": Text(tokenKinds[t.Kind]), "may": Text(tokenMay(t)), "state": Badge(state, tone),
		"created": Time(t.Created), "used": Time(t.LastUsed), "expires": Time(t.Expires), "do": do,
	}}
}

// A newTokenView is the form of a new token, with what was typed.
type newTokenView struct {
	Kind, Name, Source, Role, Days string
	Scopes                         []string
	Only                           string // limits, as typed
	Sources                        []string
	Roles                          []string
	Problem                        string
}

func (c *Console) tokenForm(req request) (newTokenView, error) {
	v := newTokenView{}
	sources, err := c.Service.UncountedSources(req.Context())
	if err != nil {
		return v, err
	}
	for _, s := range sources {
		if s.Kind == directory.KindSCIM {
			v.Sources = append(v.Sources, string(s.Name))
		}
	}
	roles, err := c.Service.Roles(req.Context())
	if err != nil {
		return v, err
	}
	for _, r := range roles {
		if len(r.Rights) > 0 {
			v.Roles = append(v.Roles, string(r.Name))
		}
	}
	return v, nil
}

func (c *Console) newToken(req request) (templ.Component, error) {
	if !req.viewer.Can(admin.WriteTokens) {
		return nil, fmt.Errorf("%w: making a token needs the right %s", admin.ErrForbidden, directory.TokensManage)
	}
	v, err := c.tokenForm(req)
	if err != nil {
		return nil, err
	}
	values := req.URL.Query()
	v.Kind, v.Source, v.Days = cmp.Or(values.Get("kind"), "check"), values.Get("source"), "365"
	return c.frame(req, "New token", newTokenTemplate(v)), nil
}

func (c *Console) makeToken(req request) (templ.Component, error) {
	form := req.PostForm
	n := admin.NewToken{Kind: directory.TokenKind(form.Get("kind")), Name: strings.TrimSpace(form.Get("name")), Scopes: form["scope"]}
	switch n.Kind {
	case directory.TokenSCIM:
		n.Source, n.Scopes = directory.SourceName(form.Get("source")), nil
	case directory.TokenAdmin:
		n.Role, n.Scopes = directory.RoleName(form.Get("role")), nil
	case directory.TokenCheck:
		n.Scopes = append(n.Scopes, limits(form.Get("only"))...)
	}
	made, err := admin.MadeToken{}, error(nil)
	if n.Life, err = life(form.Get("days")); err == nil {
		made, err = c.Service.CreateToken(req.Context(), req.by, n)
	}
	if err != nil {
		v, formErr := c.tokenForm(req)
		if formErr != nil {
			return nil, formErr
		}
		v.Kind, v.Name, v.Source, v.Role, v.Days, v.Scopes = string(n.Kind), n.Name, form.Get("source"), form.Get("role"), form.Get("days"), form["scope"]
		v.Only = form.Get("only")
		if v.Problem, err = asked(err); err != nil {
			return nil, err
		}
		c.show(req.w, req.Request, http.StatusUnprocessableEntity, c.frame(req, "New token", newTokenTemplate(v)))
		return nil, nil
	}
	// The token is shown here and nowhere else, so there is nothing to redirect to.
	return c.frame(req, "Token made", madeTokenTemplate(made, "")), nil
}

// limits splits what was typed at commas and spaces.
func limits(only string) []string {
	return strings.FieldsFunc(only, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// life is a number of days.
func life(days string) (time.Duration, error) {
	n, err := strconv.Atoi(strings.TrimSpace(days))
	if err != nil || n < 1 || n > 3650 {
		return 0, fmt.Errorf("%w: a token lives from 1 to 3650 days", directory.ErrInvalid)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

// findToken returns the token that a page is about.
func (c *Console) findToken(req request) (admin.ListedToken, error) {
	all, err := c.Service.Tokens(req.Context())
	if err != nil {
		return admin.ListedToken{}, err
	}
	i := slices.IndexFunc(all, func(t admin.ListedToken) bool { return t.ID == req.PathValue("id") })
	if i < 0 {
		return admin.ListedToken{}, errNoPage
	}
	return all[i], nil
}

func (c *Console) askRotate(req request) (templ.Component, error) { return c.rotateForm(req, "7", "") }

func (c *Console) rotateForm(req request, days, problem string) (templ.Component, error) {
	t, err := c.findToken(req)
	if err != nil {
		return nil, err
	}
	return c.frame(req, "Rotate "+t.Name, rotateTemplate(t, days, problem)), nil
}

func (c *Console) rotateToken(req request) (templ.Component, error) {
	days := strings.TrimSpace(req.PostForm.Get("days"))
	n, err := strconv.Atoi(days)
	if err != nil || n < 0 {
		return c.rotateForm(req, days, "Say for how many days the old one goes on, 0 for none.")
	}
	made, err := c.Service.RotateToken(req.Context(), req.by, req.PathValue("id"), time.Duration(n)*24*time.Hour)
	if err != nil {
		problem, err := asked(err)
		if err != nil {
			return nil, err
		}
		return c.rotateForm(req, days, problem)
	}
	note := "The old token is over."
	if n > 0 {
		note = "The old token goes on for " + strconv.Itoa(n) + " days."
	}
	return c.frame(req, "Token made", madeTokenTemplate(made, note)), nil
}

func (c *Console) askRevoke(req request) (templ.Component, error) {
	t, err := c.findToken(req)
	if err != nil {
		return nil, err
	}
	return c.frame(req, "Revoke "+t.Name, revokeTemplate(t)), nil
}

func (c *Console) revokeToken(req request) (templ.Component, error) {
	if _, err := c.Service.RevokeToken(req.Context(), req.by, req.PathValue("id")); err != nil {
		return nil, err
	}
	return c.redirect(req, "/settings/tokens", "Revoked. It opens nothing any more.")
}
