package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
	"github.com/usherd/usherd/scim"
	"go.uber.org/zap"
)

// bySystem is who brings in what the configuration names.
var bySystem = directory.Actor{Kind: "system", Name: "configuration"}

// configure brings the sources and the policy that the configuration names into
// the store. What is there already alters nothing.
func (d *daemon) configure(ctx context.Context, cfg *config.Config) error {
	sources, err := d.newSources(ctx, cfg.Sources)
	if err != nil {
		return err
	}
	if cfg.Policy.File != "" {
		err = d.configurePolicy(ctx, cfg.Policy.File, sources)
	} else {
		err = d.configureSources(ctx, sources)
	}
	if err == nil && len(sources) > 0 {
		d.log.Info("sources of the configuration", zap.Int("changed", len(sources)))
	}
	return err
}

// configureSources puts sources where no policy comes with them.
func (d *daemon) configureSources(ctx context.Context, sources []directory.PutSource) error {
	d.managed.Store(nil)
	if len(sources) == 0 {
		return nil
	}
	changes := make([]directory.Change, len(sources))
	for i, c := range sources {
		changes[i] = c
	}
	if _, err := d.visible.Apply(ctx, bySystem, changes...); err != nil {
		return fmt.Errorf("sources of the configuration: %w", err)
	}
	return nil
}

// newSources lists those of the named sources that the store does not have as
// they are named.
func (d *daemon) newSources(ctx context.Context, named []config.Source) (changes []directory.PutSource, _ error) {
	have, err := d.store.Sources(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading sources: %w", err)
	}
	byName := map[directory.SourceName]directory.Source{}
	rank := 0
	for _, src := range have {
		byName[src.Name] = src
		rank = max(rank, src.Rank+1)
	}
	for _, n := range named {
		src, known := byName[directory.SourceName(n.Name)]
		settings, err := sourceSettings(n)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", n.Name, err)
		}
		if known && src.Kind != directory.SourceKind(n.Kind) {
			return nil, fmt.Errorf("source %s is of kind %s in the store; a source does not change its kind: choose another name", n.Name, src.Kind)
		}
		if known && sameJSON(src.Settings, settings) {
			continue
		}
		if !known {
			src = directory.Source{Name: directory.SourceName(n.Name), Kind: directory.SourceKind(n.Kind), State: directory.SourceActive, Rank: rank, Created: time.Now()}
			rank++
		}
		src.Settings, src.Modified = settings, time.Now()
		changes = append(changes, directory.PutSource{Source: src})
	}
	return changes, nil
}

// sourceSettings puts a configured source into the store's form.
func sourceSettings(n config.Source) (json.RawMessage, error) {
	if n.Kind != string(directory.KindLDAP) {
		if n.Profile == "" || n.Profile == "auto" {
			return nil, nil
		}
		return json.Marshal(map[string]string{"profile": n.Profile})
	}
	text, err := json.Marshal(ldapSettings(n.LDAP))
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return text, checkSettings(directory.KindLDAP, text)
}

// ldapSettings translates the configuration of an LDAP source.
func ldapSettings(l *config.LDAP) ldapsync.Settings {
	a := l.Attributes
	return ldapsync.Settings{
		URLs: l.URLs, StartTLS: l.StartTLS, ServerName: l.ServerName, CAFile: l.CAFile, CertFile: l.ClientCert, KeyFile: l.ClientKey,
		BindDN: l.BindDN, PasswordFile: l.BindPass.Path(), External: l.External, AllowPlaintextBind: l.PlaintextBind,
		Template: l.Template, Base: l.Base, UserBase: l.UserBase, GroupBase: l.GroupBase, UserFilter: l.UserFilter, GroupFilter: l.GroupFilter,
		Attributes: &ldapsync.Mapping{
			ID: a.ID, UserName: a.UserName, Formatted: a.Formatted, GivenName: a.GivenName, FamilyName: a.FamilyName,
			DisplayName: a.DisplayName, Emails: a.Emails, Title: a.Title, Department: a.Department, Organization: a.Organization,
			EmployeeNumber: a.EmployeeNumber, LastLogin: a.LastLogin, GroupName: a.GroupName, Members: a.Members, MemberUIDs: a.MemberUIDs, MemberURLs: a.MemberURLs,
		},
		IgnoreReferrals: l.IgnoreReferrals,
		PageSize:        l.PageSize, GroupPageSize: l.GroupPageSize, MaxEntries: l.MaxEntries, MaxMembers: l.MaxMembers,
		DialTimeout: ldapsync.Duration(l.DialTimeout), RequestTimeout: ldapsync.Duration(l.Timeout), RunTimeout: ldapsync.Duration(l.RunTimeout),
		FullEvery: ldapsync.Duration(l.FullEvery), Lease: ldapsync.Duration(l.Lease),
		Schedule: l.Schedule, Thresholds: ldapThresholds(l.Thresholds), Retention: ldapRetention(l.Retention),
	}
}

// sameJSON reports whether two settings are the same object.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b) || string(a) == "{}" || string(b) == "{}"
	}
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, perr := json.Marshal(x)
	q, qerr := json.Marshal(y)
	return perr == nil && qerr == nil && string(p) == string(q)
}

// checkSettings refuses settings that a source can't work with.
func checkSettings(kind directory.SourceKind, settings []byte) error {
	if kind == directory.KindSCIM {
		return scim.CheckSettings(settings)
	}
	if len(settings) == 0 {
		settings = []byte("{}")
	}
	_, err := ldapsync.ParseSettings(settings)
	return err
}

// managedBy names the configuration if it names the source.
func (d *daemon) managedBy(name directory.SourceName) string {
	for _, s := range d.cfg.Load().Sources {
		if s.Name == string(name) {
			return "configuration"
		}
	}
	return ""
}

func ldapThresholds(t config.Thresholds) ldapsync.Thresholds {
	return ldapsync.Thresholds{
		DisabledPercent: t.DisabledPercent, DisabledMin: t.DisabledMin, MembersPercent: t.MembersPercent, MembersAbove: t.MembersAbove,
		AdminGrowth: t.AdminGrowth, VanishPercent: t.VanishPercent, VanishMin: t.VanishMin, RenamedPercent: t.RenamedPercent, RenamedMin: t.RenamedMin,
	}
}

func ldapRetention(r config.Retention) ldapsync.Retention {
	return ldapsync.Retention{Reads: r.Reads, For: ldapsync.Duration(r.For)}
}
