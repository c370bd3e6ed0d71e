package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// An origin is what the wizard can connect.
type origin struct {
	Key, Title, About string
	Kind              directory.SourceKind
	Profile, Template string
}

// origins are offered in this order.
var origins = []origin{
	{"okta", "Okta", "Okta pushes people and groups by SCIM.", directory.KindSCIM, "okta", ""},
	{"entra", "Microsoft Entra ID", "Entra pushes people and groups by SCIM.", directory.KindSCIM, "entra", ""},
	{"scim", "Another SCIM client", "Any identity provider that speaks SCIM 2.0; its dialect is told from its requests.", directory.KindSCIM, "", ""},
	{"active-directory", "Active Directory", "Read at set times by LDAP.", directory.KindLDAP, "", "active-directory"},
	{"openldap", "OpenLDAP", "Read at set times by LDAP.", directory.KindLDAP, "", "openldap"},
	{"389ds", "389 Directory Server, FreeIPA", "Read at set times by LDAP.", directory.KindLDAP, "", "389ds"},
}

// A newSourceView is the wizard: with what was typed, if it was refused.
type newSourceView struct {
	Origins      []origin
	Chosen       *origin
	Name         string
	LDAP         ldapForm
	SecretFolder string
	Problem      string
	Command      string // to do the same on the machine
}

// An ldapForm is what the form of an LDAP source holds.
type ldapForm struct {
	URLs, Base, BindDN, PasswordFile, CAFile, UserFilter, GroupFilter, Schedule string
	ServerName, FullEvery                                                       string
	StartTLS                                                                    bool
}

func (c *Console) wizard(key string) newSourceView {
	v := newSourceView{Origins: origins, SecretFolder: c.Service.SecretFolder}
	if i := slices.IndexFunc(origins, func(o origin) bool { return o.Key == key }); i >= 0 {
		v.Chosen = &origins[i]
	}
	return v
}

func (c *Console) newSource(req request) (templ.Component, error) {
	if !req.viewer.Can(admin.WriteSources) {
		return nil, fmt.Errorf("%w: adding a source needs the right %s", admin.ErrForbidden, directory.SourcesManage)
	}
	v := c.wizard(req.URL.Query().Get("of"))
	if v.Chosen != nil {
		v.Name, v.LDAP.Schedule = v.Chosen.Key, "*/15 * * * *"
	}
	return c.frame(req, "Add a source", newSourceTemplate(v)), nil
}

func (c *Console) addSource(req request) (templ.Component, error) {
	v := c.wizard(req.PostForm.Get("of"))
	if v.Chosen == nil {
		return nil, errForm
	}
	v.read(req)
	settings, err := v.settings()
	if err != nil {
		return nil, err
	}
	made, err := c.Service.AddSource(req.Context(), req.by, admin.NewSource{
		Name: directory.SourceName(v.Name), Kind: v.Chosen.Kind, Settings: settings,
	})
	if err != nil {
		if v.Problem, err = asked(err); err != nil {
			return nil, err
		}
		if v.Chosen.Kind == directory.KindLDAP {
			v.Command = v.command()
		}
		c.show(req.w, req.Request, http.StatusUnprocessableEntity, c.frame(req, "Add a source", newSourceTemplate(v)))
		return nil, nil
	}
	if made.Kind == directory.KindSCIM {
		// The token is shown here and nowhere else, so there is nothing to redirect to.
		return c.frame(req, "Source added", addedSourceTemplate(made)), nil
	}
	return c.redirect(req, sourcePath(made.Name), "Added source "+v.Name+". Test it before its first run.")
}

func (v *newSourceView) read(req request) {
	v.Name, v.LDAP = strings.TrimSpace(req.PostForm.Get("name")), readLDAP(req)
}

func readLDAP(req request) ldapForm {
	get := func(key string) string { return strings.TrimSpace(req.PostForm.Get(key)) }
	return ldapForm{
		URLs: get("urls"), Base: get("base"), BindDN: get("bindDN"), PasswordFile: get("passwordFile"), CAFile: get("caFile"),
		UserFilter: get("userFilter"), GroupFilter: get("groupFilter"), Schedule: get("schedule"), StartTLS: get("startTLS") != "",
		ServerName: get("serverName"), FullEvery: get("fullEvery"),
	}
}

// settings is the form as the settings of a source.
func (v *newSourceView) settings() (json.RawMessage, error) {
	all := map[string]any{}
	if v.Chosen.Profile != "" {
		all["profile"] = v.Chosen.Profile
	}
	if v.Chosen.Kind == directory.KindLDAP {
		all["template"] = v.Chosen.Template
		maps.Copy(all, v.LDAP.values())
	}
	if len(all) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("encoding settings: %w", err)
	}
	return text, nil
}

// lines are the lines of a text that hold something.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// command does the same on the machine of the daemon.
func (v *newSourceView) command() string {
	words := []string{"usherd source add", shellWord(v.Name), "--kind", string(v.Chosen.Kind)}
	add := func(flag string, values ...string) {
		for _, value := range values {
			if value != "" {
				words = append(words, flag, shellWord(value))
			}
		}
	}
	add("--profile", v.Chosen.Profile)
	add("--template", v.Chosen.Template)
	f := v.LDAP
	add("--url", lines(f.URLs)...)
	add("--base", lines(f.Base)...)
	add("--bind-dn", f.BindDN)
	add("--bind-password-file", f.PasswordFile)
	add("--ca-file", f.CAFile)
	add("--server-name", f.ServerName)
	add("--full-every", f.FullEvery)
	add("--user-filter", f.UserFilter)
	add("--group-filter", f.GroupFilter)
	if v.Chosen.Kind == directory.KindLDAP {
		add("--schedule", f.Schedule)
	}
	if f.StartTLS {
		words = append(words, "--start-tls")
	}
	return strings.Join(words, " ")
}

// shellWord quotes a word for a POSIX shell.
func shellWord(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:@=,"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
