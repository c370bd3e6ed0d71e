package ldapsync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// A Probe is what trying a source out showed. Nothing was applied.
type Probe struct {
	Server         string        `json:"server,omitempty"`
	Passed         []string      `json:"passed,omitempty"` // what was wrong with the servers before it
	Who            string        `json:"who,omitempty"`    // whom the server takes us for (RFC 4532)
	Vendor         string        `json:"vendor,omitempty"`
	Advice         string        `json:"advice,omitempty"` // if the template does not fit the vendor
	NamingContexts []string      `json:"namingContexts,omitempty"`
	Paging         bool          `json:"paging"` // the server announces paged results
	People         int           `json:"people"`
	Inactive       int           `json:"inactive"` // of the people
	Groups         int           `json:"groups"`
	Rejected       int           `json:"rejected"`   // entries that cannot be taken over
	Unresolved     int           `json:"unresolved"` // members that name nobody
	Sample         []Sample      `json:"sample,omitempty"`
	SampleGroups   []SampleGroup `json:"sampleGroups,omitempty"`
	// Steps tells how far it came; the last says what to do if it failed.
	Steps []Step        `json:"steps"`
	Took  time.Duration `json:"took"`
}

// A Sample is one of the people read, as a run would take it over.
type Sample struct {
	UserName    string   `json:"userName"`
	ExternalID  string   `json:"externalId"`
	DN          string   `json:"dn"`
	DisplayName string   `json:"displayName,omitempty"`
	Emails      []string `json:"emails,omitempty"` // the first is the primary one
	Active      bool     `json:"active"`
	Rejected    string   `json:"rejected,omitempty"` // why it would not be taken over
}

// A SampleGroup is one of the groups read, as a run would take it over.
type SampleGroup struct {
	Name       string `json:"name"`
	ExternalID string `json:"externalId"`
	DN         string `json:"dn"`
	Members    int    `json:"members"`              // direct ones
	Unresolved int    `json:"unresolved,omitempty"` // that name nobody
	Rejected   string `json:"rejected,omitempty"`
}

// A Step is one stage of a probe.
type Step struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// OK reports whether every step succeeded.
func (p Probe) OK() bool {
	return !slices.ContainsFunc(p.Steps, func(s Step) bool { return !s.OK })
}

func (p *Probe) step(name string, err error) bool {
	s := Step{Name: name, OK: err == nil}
	if err != nil {
		s.Error = err.Error()
	}
	p.Steps = append(p.Steps, s)
	return s.OK
}

// Try connects with settings, asks the server what it is, and reads everything
// once, which is also the one sure way to find the limits of the account.
func Try(ctx context.Context, s Settings, now time.Time) (p Probe) {
	began := time.Now()
	defer func() { p.Took = time.Since(began) }()
	urls, err := servers(ctx, s)
	if !p.step("find servers", err) {
		return p
	}
	ses := p.reach(ctx, s, urls)
	if ses == nil {
		return p
	}
	p.Server, p.Who = ses.server, ses.who
	dse, err := ses.rootDSE()
	ses.close()
	if p.step("ask what the server is", err) {
		const pagedResults = "1.2.840.113556.1.4.319"
		p.Vendor, p.NamingContexts, p.Paging = dse.Vendor, dse.NamingContexts, slices.Contains(dse.Controls, pagedResults)
		p.Advice = fits(s.Template, dse.Vendor)
	}
	p.step("read everything", p.read(ctx, s, now))
	return p
}

// reach opens a session with the first server that can be reached, and tells the
// stages of that; it is nil if there is none.
func (p *Probe) reach(ctx context.Context, s Settings, urls []string) *session {
	for i, u := range urls {
		ses, err := connect(ctx, s, u)
		var in *IncompleteError
		if i < len(urls)-1 && errors.As(err, &in) && in.elsewhere() {
			p.Passed = append(p.Passed, in.Error())
			continue
		}
		p.stages(strings.HasPrefix(u, "ldaps:") || s.StartTLS, err)
		return ses
	}
	return nil
}

// stages tells how far a session came.
func (p *Probe) stages(secure bool, err error) {
	stages := []string{"connect", "TLS", "bind"}
	if !secure {
		stages = []string{"connect", "bind"}
	}
	failed := len(stages)
	var in *IncompleteError
	switch isIn := errors.As(err, &in); {
	case err == nil:
	case isIn && in.Cause == CauseConnect:
		failed = 0
	case isIn && in.Cause == CauseTLS: // a server that wants TLS says so at the bind
		failed = 1
	default:
		failed = len(stages) - 1
	}
	for i, name := range stages[:min(failed+1, len(stages))] {
		if i < failed {
			p.step(name, nil)
		} else {
			p.step(name, err)
		}
	}
}

// fits says what to do if a server is not of the kind that the template is for.
func fits(template, vendor string) string {
	for _, kind := range []struct{ vendor, template string }{
		{"389", "389ds"}, {"Active Directory", "active-directory"}, {"OpenLDAP", "openldap"},
	} {
		if strings.Contains(vendor, kind.vendor) && template != kind.template {
			return "The server says that it is " + vendor + ": the template for it is " + kind.template + ", not " + template
		}
	}
	return ""
}

// read reads everything and tells what a run would take over.
func (p *Probe) read(ctx context.Context, s Settings, now time.Time) error {
	sp, err := newSpool("")
	if err != nil {
		return err
	}
	defer sp.close()
	snap, err := Collect(ctx, s, now, newState(sp))
	if err != nil {
		return err
	}
	return p.count(snap)
}

// samples is how many people and groups are told of.
const samples = 5

// count tells what a snapshot holds.
func (p *Probe) count(snap *Snapshot) error {
	p.People, p.Groups = snap.people.len(), len(snap.Groups)
	for i := range int32(p.People) {
		row := snap.people.at(i)
		if !row.active {
			p.Inactive++
		}
		if row.reject {
			p.Rejected++
		}
		if len(p.Sample) < samples {
			person, err := snap.person(i)
			if err != nil {
				return err
			}
			p.Sample = append(p.Sample, sampleOf(&person))
		}
	}
	e, err := resolve(snap, func(dnKey) (string, bool, error) { return "", false, nil })
	if err != nil {
		return err
	}
	for i := range snap.Groups {
		g := &snap.Groups[i]
		p.Unresolved += e.unresolved[i]
		if g.Rejected != "" {
			p.Rejected++
		}
		if i < samples {
			p.SampleGroups = append(p.SampleGroups, SampleGroup{g.Name, g.ID, g.DN, len(e.of[i]), e.unresolved[i], g.Rejected})
		}
	}
	return nil
}

func sampleOf(p *Person) Sample {
	f := &p.Profile
	s := Sample{UserName: f.UserName, ExternalID: f.ExternalID, DN: f.DN, DisplayName: f.DisplayName, Active: f.Active, Rejected: p.Rejected}
	for _, e := range f.Emails {
		s.Emails = append(s.Emails, e.Value)
	}
	return s
}

// Try tries the source of p out.
func (p *Poller) Try(ctx context.Context) Probe {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(p.cfg.Settings.RunTimeout), errRunTimeout)
	defer cancel()
	return Try(ctx, p.cfg.Settings, p.cfg.Now())
}
