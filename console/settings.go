package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// settingPages are the pages about the daemon and who administers it.
func (c *Console) settingPages() {
	c.page("GET /settings/admins", c.admins)
	c.page("POST /settings/admins/sessions/{key}/end", c.endSession)
	c.page("GET /settings/general", c.general)
	c.page("GET /settings/diagnostics", c.diagnostics)
	c.page("POST /settings/diagnostics/level", c.setLogLevel)
	c.page("GET /settings/diagnostics/bundle", c.supportBundle)
}

// An administrator is somebody who holds administration rights.
type administrator struct {
	User   directory.UserID
	Name   string
	Rights []string
	From   []string
}

// A listedSession is a session of the viewer.
type listedSession struct {
	session
	Key  string
	Here bool // the one that asks
}

// An adminsView is who administers, and how people sign in.
type adminsView struct {
	People   []administrator
	More     bool // there are more than shown
	Tokens   []admin.ListedToken
	OIDC     *OIDC
	Sessions []listedSession
}

// maxHolders is how many holders of one right the page shows.
const maxHolders = 200

func (c *Console) admins(req request) (templ.Component, error) {
	v := adminsView{OIDC: c.OIDC}
	var err error
	if v.People, v.More, err = c.administrators(req.Context()); err != nil {
		return nil, err
	}
	if req.viewer.Can(admin.ReadTokens) {
		all, err := c.Service.Tokens(req.Context())
		if err != nil {
			return nil, err
		}
		v.Tokens = slices.DeleteFunc(all, func(t admin.ListedToken) bool {
			return t.Kind != directory.TokenAdmin || t.State != admin.TokenActive
		})
	}
	if v.Sessions, err = c.sessionsOf(req); err != nil {
		return nil, err
	}
	return c.frame(req, "Admins and sign-in", adminsTemplate(v)), nil
}

// administrators lists who holds administration rights in the organization, the
// most rights first.
func (c *Console) administrators(ctx context.Context) (out []administrator, more bool, err error) {
	at := map[directory.UserID]int{}
	for _, right := range directory.OrganizationRights {
		if !right.IsAdministration() {
			continue
		}
		page, err := c.Service.Holders(ctx, admin.HoldersQuery{Right: right, Limit: maxHolders})
		if err != nil {
			return nil, false, err
		}
		more = more || page.Next != ""
		for _, h := range page.Items {
			i, known := at[h.User]
			if !known {
				i = len(out)
				at[h.User] = i
				name := h.Name
				if name == "" {
					name = h.UserName
				}
				out = append(out, administrator{User: h.User, Name: name})
			}
			out[i].Rights = append(out[i].Rights, string(right))
			for _, from := range h.From {
				if !slices.Contains(out[i].From, from) {
					out[i].From = append(out[i].From, from)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b administrator) int {
		if n := len(b.Rights) - len(a.Rights); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, more, nil
}

// sessionsOf lists the sessions of the viewer, the last used first.
func (c *Console) sessionsOf(req request) ([]listedSession, error) {
	here := ""
	if held, err := req.Cookie(c.cookieName()); err == nil {
		here = c.hash("session", held.Value)
	}
	const stretch = 500
	var out []listedSession
	for after := ""; ; {
		some, err := c.Keeper.ListKept(req.Context(), spaceSession, after, stretch)
		if err != nil {
			return nil, fmt.Errorf("listing sessions: %w", err)
		}
		for _, kept := range some {
			var s session
			after = kept.Key
			if json.Unmarshal(kept.Value, &s) == nil && s.User == req.viewer.ID && c.Now().Before(kept.Expires) {
				out = append(out, listedSession{s, kept.Key, kept.Key == here})
			}
		}
		if len(some) < stretch {
			break
		}
	}
	slices.SortFunc(out, func(a, b listedSession) int { return b.Seen.Compare(a.Seen) })
	return out, nil
}

// endSession ends a session of the viewer, on whatever machine.
func (c *Console) endSession(req request) (templ.Component, error) {
	all, err := c.sessionsOf(req)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all, func(s listedSession) bool { return s.Key == req.PathValue("key") }) {
		return nil, errNoPage // also for a session of somebody else
	}
	err = c.Keeper.DropKept(req.Context(), spaceSession, req.PathValue("key"))
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, fmt.Errorf("ending a session: %w", err)
	}
	return c.redirect(req, "/settings/admins", "The session is over.")
}

// generalKeys are the keys that the page General shows, with what they mean.
var generalKeys = []struct{ key, title, about string }{
	{"console.environment", "Environment", "label on every page"},
	{"url", "Address", "where clients reach the public listener"},
	{"max_staleness", "Longest staleness", "oldest answer that a check gives; beyond it, 503"},
	{"history.keep", "History", "how long a past revision can be explained"},
	{"audit.retention", "Audit log", "how long its records are kept; 0s is for ever"},
	{"policy.file", "Policy file", "what it manages is read-only here"},
	{"listen", "Public listener", ""},
	{"store.url", "Database", ""},
	{"redis.url", "Shared cache", "never needed"},
}

// A generalRow is one setting of the page General.
type generalRow struct{ Title, About, Value, Origin string }

func (c *Console) general(req request) (templ.Component, error) {
	if err := req.viewer.Require(admin.ReadPolicy, ""); err != nil {
		return nil, err
	}
	known := map[string]Setting{}
	if c.Machine != nil {
		for _, s := range c.Machine.Settings() {
			known[s.Key] = s
		}
	}
	var rows []generalRow
	for _, k := range generalKeys {
		s := known[k.key]
		switch {
		case k.key == "url" && s.Value == "":
			s = Setting{Value: c.URL(), Origin: "from the public listener"}
		case k.key == "console.environment" && s.Value == "":
			s.Value = c.Environment
		}
		rows = append(rows, generalRow{k.title, k.about, s.Value, s.Origin})
	}
	return c.frame(req, "General", generalTemplate(rows)), nil
}

// A diagnosticsView is how the daemon is.
type diagnosticsView struct {
	Checked  []Diagnosis
	Facts    []Fact
	Settings []Setting
	At       time.Time
	None     bool            // nobody tells of the daemon
	Level    *admin.LogLevel // nil if the viewer may not change it
}

func (c *Console) diagnostics(req request) (templ.Component, error) {
	if !req.viewer.Can(admin.ReadSources) {
		return nil, fmt.Errorf("%w: diagnostics need the right %s, %s or %s", admin.ErrForbidden, directory.DirectoryRead, directory.SourcesManage, directory.SyncOperate)
	}
	v := diagnosticsView{At: c.Now(), None: c.Machine == nil}
	if c.Machine != nil {
		v.Checked, v.Facts, v.Settings = c.Machine.Diagnose(req.Context()), c.Machine.Facts(req.Context()), c.Machine.Settings()
	}
	if c.Machine != nil && req.viewer.Can(admin.OperateSync) {
		level, err := c.Service.LogLevel(req.Context())
		if err != nil {
			return nil, err
		}
		v.Level = &level
	}
	return c.frame(req, "Diagnostics", diagnosticsTemplate(v)), nil
}

// checkWord is what the page calls the result of a diagnosis.
func checkWord(result string) string {
	if result == "success" {
		return "OK"
	}
	return capital(result)
}

// viaWord says how a session was begun.
func viaWord(via string) string {
	if via == admin.ViaLink {
		return "login link"
	}
	return via
}

// checkTone is how the result of a diagnosis looks.
func checkTone(result string) Tone {
	switch result {
	case "success":
		return Good
	case "warning":
		return Warn
	}
	return Bad
}
