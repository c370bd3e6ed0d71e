package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/usherd/usherd/ldapsync"
)

func (a *app) sourceCommand() *cobra.Command {
	return parent("source", "Add sources and see to them",
		a.sourceAdd(), a.sourceList(), a.sourceShow(), a.sourceSet(), a.sourceTest(), a.sourceLog(), a.sourceErrors(), a.sourceCertificates(),
		a.sourceState("pause", "active", "paused", "Take nothing from a source for a while; access stays"),
		a.sourceState("resume", "paused", "active", "Take from a paused source again"),
		a.sourceState("disable", "", "disabled", "Let a source count for nothing"),
		a.sourceState("enable", "disabled", "active", "Let a disabled source count again"),
		a.sourceRemove(),
	)
}

// ldapFlags are the flags of an LDAP source.
type ldapFlags struct {
	settings ldapsync.Settings
}

func (l *ldapFlags) register(cmd *cobra.Command) {
	f, s := cmd.Flags(), &l.settings
	f.StringVar(&s.Template, "template", "", "ldap: kind of server: "+strings.Join(ldapsync.TemplateNames(), ", "))
	f.StringSliceVar(&s.URLs, "url", nil, "ldap: a server; more than one is tried in order")
	f.StringVar(&s.BindDN, "bind-dn", "", "ldap: whom to bind as")
	f.StringVar(&s.PasswordFile, "bind-password-file", "", "ldap: file with the password, read at each connection")
	f.StringArrayVar(&s.Base, "base", nil, "ldap: where people and groups are")
	f.StringArrayVar(&s.UserBase, "user-base", nil, "ldap: where people are (default --base)")
	f.StringArrayVar(&s.GroupBase, "group-base", nil, "ldap: where groups are (default --base)")
	f.StringVar(&s.UserFilter, "user-filter", "", "ldap: which entries are people (default the template's)")
	f.StringVar(&s.GroupFilter, "group-filter", "", "ldap: which entries are groups (default the template's)")
	f.StringVar(&s.Schedule, "schedule", "", "ldap: when to read, as five cron fields in UTC or @every 10m")
	f.TextVar(&s.FullEvery, "full-every", ldapsync.Duration(0), "ldap: read only what changed in between, and everything this often (0: always everything)")
	f.BoolVar(&s.StartTLS, "start-tls", false, "ldap: begin TLS on an ldap:// connection")
	f.StringVar(&s.CAFile, "ca-file", "", "ldap: certificates to trust, PEM")
	f.StringVar(&s.ServerName, "server-name", "", "ldap: name that the certificate must have")
	f.StringVar(&s.CertFile, "client-cert", "", "ldap: client certificate, PEM")
	f.StringVar(&s.KeyFile, "client-key", "", "ldap: key of the client certificate, PEM")
	f.BoolVar(&s.External, "external", false, "ldap: authenticate by the client certificate (SASL EXTERNAL)")
	f.BoolVar(&s.AllowPlaintextBind, "allow-plaintext-bind", false, "ldap: send the password over ldap:// without TLS to another machine")
	f.StringArrayVar(&s.IgnoreReferrals, "ignore-referral", nil, "ldap: DN in the URL of a referral that does not make a read incomplete; * for all")
}

// object is the settings in the store's form. File names become absolute,
// because the daemon has another working folder.
func (l *ldapFlags) object() (json.RawMessage, error) {
	s := l.settings
	for _, file := range []*string{&s.PasswordFile, &s.CAFile, &s.CertFile, &s.KeyFile} {
		if *file == "" {
			continue
		}
		abs, err := filepath.Abs(*file)
		if err != nil {
			return nil, usage("%s: %w", *file, err)
		}
		*file = abs
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, usage("settings: %w", err)
	}
	return text, nil
}

// misused refuses flags that mean nothing for the kind of source, and files that
// are not there.
func (l *ldapFlags) misused(cmd *cobra.Command, kind, profile string) error {
	var wrong []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if kind == "scim" && f.Changed && strings.HasPrefix(f.Usage, "ldap: ") {
			wrong = append(wrong, "--"+f.Name)
		}
	})
	if kind == "ldap" && profile != "" {
		wrong = append(wrong, "--profile")
	}
	if len(wrong) > 0 {
		return usage("%s: not for a source of kind %s", strings.Join(wrong, ", "), kind)
	}
	return nil
}

// missingFile refuses a file that is not there, where the daemon is on this
// machine.
func (a *app) missingFile(l *ldapFlags) error {
	if a.server != "" {
		return nil
	}
	s := l.settings
	for flag, file := range map[string]string{"bind-password-file": s.PasswordFile, "ca-file": s.CAFile, "client-cert": s.CertFile, "client-key": s.KeyFile} {
		if file == "" {
			continue
		}
		if info, err := os.Stat(file); err != nil {
			return usage("--%s: %w", flag, err)
		} else if info.IsDir() {
			return usage("--%s: %s is a folder", flag, file)
		}
	}
	return nil
}

func (a *app) sourceAdd() *cobra.Command {
	var kind, profile string
	l := &ldapFlags{}
	cmd := &cobra.Command{
		Use:   "add NAME --kind scim|ldap",
		Short: "Add a source; a scim source comes with its address and token",
		Example: `  usherd source add okta --kind scim -o json
  usherd source add corp --kind ldap --template openldap --url ldaps://ldap.corp.example --bind-dn cn=reader,dc=corp,dc=example --bind-password-file /run/secrets/ldap --base dc=corp,dc=example`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{"name": args[0], "kind": kind}
			if err := l.misused(cmd, kind, profile); err != nil {
				return err
			}
			switch kind {
			case "ldap":
				if err := a.missingFile(l); err != nil {
					return err
				}
				settings, err := l.object()
				if err != nil {
					return err
				}
				body["settings"] = settings
			case "scim":
				if profile != "" {
					body["settings"] = map[string]any{"profile": profile}
				}
			default:
				return usage("--kind is scim or ldap")
			}
			return a.ask(cmd.Context(), question{
				http.MethodPost, "/api/v1/sources", body,
				"NAME=name KIND=kind URL=url TOKEN=token REVISION=revision", true,
			})
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "scim: an identity provider pushes; ldap: a directory is polled")
	cmd.Flags().StringVar(&profile, "profile", "", "scim: whose dialect the provider speaks, e.g. okta, entra (default: told from its requests)")
	l.register(cmd)
	return cmd
}

func (a *app) sourceList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List sources", Example: "  usherd source list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/sources", nil,
				"NAME=name KIND=kind STATE=state USERS=users GROUPS=groups PROFILE=profile QUIRKS=quirks LAST_REQUEST=last_request TOKEN_EXPIRES=token_expires URL=url MANAGED_BY=managed_by", false,
			})
		},
	}
}

func (a *app) sourceState(verb, from, state, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Example: "  usherd source " + verb + " okta", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodPost, "/api/v1/sources/" + url.PathEscape(args[0]) + "/state",
				map[string]any{"state": state, "from": from},
				outcomeColumns, false,
			})
		},
	}
}

func (a *app) sourceRemove() *cobra.Command {
	var keep bool
	var gaining int
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "Remove a disabled source and its people and groups", Args: cobra.ExactArgs(1),
		Long: `Remove a disabled source. Its people and groups are deleted, or become local
ones (--keep-people): then they are active again, as the source had them, and
what mappings say of local groups counts for its groups.

If somebody gains something by it, nothing is done unless --gaining says how
many do, as --dry-run tells; -o json tells who, what and why.`,
		Example: "  usherd source remove okta --dry-run\n  usherd source remove okta\n  usherd source remove okta --keep-people --dry-run -o json\n  usherd source remove okta --keep-people --gaining 12",
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{}
			if keep {
				q.Set("people", "keep")
			}
			if gaining > 0 {
				q.Set("gaining", strconv.Itoa(gaining))
			}
			path := sourcePath(args[0])
			if len(q) > 0 {
				path += "?" + q.Encode()
			}
			return a.ask(cmd.Context(), question{http.MethodDelete, tried(cmd, path), nil, changedColumns, false})
		},
	}
	cmd.Flags().BoolVar(&keep, "keep-people", false, "keep its users and groups as local ones")
	cmd.Flags().IntVar(&gaining, "gaining", 0, "remove it though so many people gain something by it")
	return changing(cmd)[0]
}
