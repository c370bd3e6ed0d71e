package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A sourceForm edits the settings of an LDAP source.
type sourceForm struct {
	Name         directory.SourceName
	LDAP         ldapForm
	SecretFolder string
	Was          string // names the settings that the form was filled from
	Problem      string
	Command      string // to do the same on the machine
	Theirs       []pair // settings that somebody else changed meanwhile
	Trial        *trial // of what the form says
}

// ldapKeys are the settings that the form of an LDAP source holds.
var ldapKeys = []string{"urls", "startTLS", "serverName", "bindDN", "passwordFile", "caFile", "base", "userFilter", "groupFilter", "schedule", "fullEvery"}

// versionOf names settings, to see that they are still the same.
func versionOf(settings json.RawMessage) string {
	sum := sha256.Sum256(settings)
	return hex.EncodeToString(sum[:8])
}

// ldapFormOf fills the form from settings.
func ldapFormOf(settings json.RawMessage) (ldapForm, error) {
	var s struct {
		URLs         []string `json:"urls"`
		Base         []string `json:"base"`
		StartTLS     bool     `json:"startTLS"`
		ServerName   string   `json:"serverName"`
		BindDN       string   `json:"bindDN"`
		PasswordFile string   `json:"passwordFile"`
		CAFile       string   `json:"caFile"`
		UserFilter   string   `json:"userFilter"`
		GroupFilter  string   `json:"groupFilter"`
		Schedule     string   `json:"schedule"`
		FullEvery    string   `json:"fullEvery"`
	}
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &s); err != nil {
			return ldapForm{}, fmt.Errorf("reading settings: %w", err)
		}
	}
	return ldapForm{
		URLs: strings.Join(s.URLs, "\n"), Base: strings.Join(s.Base, "\n"), StartTLS: s.StartTLS, ServerName: s.ServerName, BindDN: s.BindDN,
		PasswordFile: s.PasswordFile, CAFile: s.CAFile, UserFilter: s.UserFilter, GroupFilter: s.GroupFilter, Schedule: s.Schedule, FullEvery: s.FullEvery,
	}, nil
}

// editable returns a source whose settings the viewer may change here.
func (c *Console) editable(req request, kind directory.SourceKind) (admin.SourcePage, error) {
	if !req.viewer.Can(admin.WriteSources) {
		return admin.SourcePage{}, fmt.Errorf("%w: changing a source needs the right %s", admin.ErrForbidden, directory.SourcesManage)
	}
	page, err := c.Service.Source(req.Context(), directory.SourceName(req.PathValue("name")))
	if err == nil && page.Kind != kind {
		err = errNoPage
	}
	return page, err
}

func (c *Console) editSource(req request) (templ.Component, error) {
	page, err := c.editable(req, directory.KindLDAP)
	if err != nil {
		return nil, err
	}
	f := sourceForm{Name: page.Name, SecretFolder: c.Service.SecretFolder, Was: versionOf(page.Settings)}
	if f.LDAP, err = ldapFormOf(page.Settings); err != nil {
		return nil, err
	}
	return c.frame(req, "Edit "+string(page.Name), sourceFormTemplate(f)), nil
}

// saveSource tests what the form says and saves it if it can be read; what can't
// be read is saved only when somebody asks for that.
func (c *Console) saveSource(req request) (templ.Component, error) {
	page, err := c.editable(req, directory.KindLDAP)
	if err != nil {
		return nil, err
	}
	f := sourceForm{Name: page.Name, LDAP: readLDAP(req), SecretFolder: c.Service.SecretFolder, Was: versionOf(page.Settings)}
	change, err := f.LDAP.change(page.Settings)
	if err != nil {
		return nil, err
	}
	if req.PostForm.Get("was") != f.Was {
		f.Problem = "Somebody changed these settings since the form was filled. Theirs are below; save again to replace what differs."
		f.Theirs = slices.DeleteFunc(settingPairs(page.Settings), func(p pair) bool { _, differs := change[p.Name]; return !differs })
		return c.refuseForm(req, f)
	}
	if len(change) == 0 {
		return c.redirect(req, sourcePath(page.Name), "Nothing was changed.")
	}
	if req.PostForm.Get("do") != "save" {
		if ok, err := c.tryForm(req, &f, change); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			return c.refuseForm(req, f)
		}
	}
	if req.PostForm.Get("do") == "test" {
		return c.frame(req, "Edit "+string(page.Name), sourceFormTemplate(f)), nil
	}
	if _, err := c.Service.SetSource(req.Context(), req.by, page.Name, change); err != nil {
		if f.Problem, err = asked(err); err != nil {
			return nil, err
		}
		return c.refuseForm(req, f)
	}
	return c.redirect(req, sourcePath(page.Name), "Saved. The next run reads by the new settings.")
}

// tryForm tests what the form says and reports whether it can be read.
func (c *Console) tryForm(req request, f *sourceForm, change map[string]json.RawMessage) (bool, error) {
	text, err := c.Service.TrySource(req.Context(), req.by, f.Name, change)
	if err != nil {
		if f.Problem, err = asked(err); err == nil {
			f.Command = f.LDAP.setCommand(f.Name, change)
		}
		return false, err
	}
	f.Trial = &trial{Source: f.Name}
	if err := json.Unmarshal(text, f.Trial); err != nil {
		return false, fmt.Errorf("reading the test of %s: %w", f.Name, err)
	}
	if !f.Trial.OK {
		f.Problem = "Nothing was saved: with these settings the directory can't be read."
	}
	return f.Trial.OK, nil
}

func (c *Console) refuseForm(req request, f sourceForm) (templ.Component, error) {
	c.show(req.w, req.Request, http.StatusUnprocessableEntity, c.frame(req, "Edit "+string(f.Name), sourceFormTemplate(f)))
	return nil, nil
}

// change is what the form says otherwise than settings; null takes a key out.
func (f ldapForm) change(settings json.RawMessage) (map[string]json.RawMessage, error) {
	before, err := ldapFormOf(settings)
	if err != nil {
		return nil, err
	}
	had, has := before.values(), f.values()
	out := map[string]json.RawMessage{}
	for _, key := range ldapKeys {
		was, err := json.Marshal(had[key])
		if err != nil {
			return nil, fmt.Errorf("encoding settings: %w", err)
		}
		is, err := json.Marshal(has[key])
		if err != nil {
			return nil, fmt.Errorf("encoding settings: %w", err)
		}
		if string(was) != string(is) {
			out[key] = is
		}
	}
	return out, nil
}

// values are the settings that the form says; what is empty is left to its
// default.
func (f ldapForm) values() map[string]any {
	out := map[string]any{}
	if all := lines(f.URLs); len(all) > 0 {
		out["urls"] = all
	}
	if all := lines(f.Base); len(all) > 0 {
		out["base"] = all
	}
	if f.StartTLS {
		out["startTLS"] = true
	}
	for key, value := range map[string]string{
		"serverName": f.ServerName, "bindDN": f.BindDN, "passwordFile": f.PasswordFile, "caFile": f.CAFile, "userFilter": f.UserFilter,
		"groupFilter": f.GroupFilter, "schedule": f.Schedule, "fullEvery": f.FullEvery,
	} {
		if value != "" {
			out[key] = value
		}
	}
	return out
}

// setCommand makes the change on the machine of the daemon.
func (f ldapForm) setCommand(name directory.SourceName, change map[string]json.RawMessage) string {
	words := []string{"usherd source set", string(name)}
	for _, key := range ldapKeys {
		if value, ok := change[key]; ok {
			text := string(value)
			if text == "null" {
				text = ""
			}
			words = append(words, shellWord(key+"="+text))
		}
	}
	return strings.Join(words, " ")
}

// profiles are whose habits the client of a SCIM source may have.
var profiles = []Option{
	{"auto", "told from its requests"},
	{"okta", "Okta"},
	{"entra", "Microsoft Entra ID"},
	{"authentik", "authentik"},
	{"ping", "Ping"},
	{"onelogin", "OneLogin"},
	{"jumpcloud", "JumpCloud"},
	{"google", "Google"},
	{"keycloak", "Keycloak"},
	{"generic", "another"},
}

// saveProfile says whose habits the client of a SCIM source has.
func (c *Console) saveProfile(req request) (templ.Component, error) {
	page, err := c.editable(req, directory.KindSCIM)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(req.PostForm.Get("profile"))
	if err != nil {
		return nil, fmt.Errorf("encoding the profile: %w", err)
	}
	if _, err := c.Service.SetSource(req.Context(), req.by, page.Name, map[string]json.RawMessage{"profile": text}); err != nil {
		return nil, err
	}
	return c.redirect(req, sourcePath(page.Name), "Saved the profile.")
}
