package ldapsync

import (
	"context"
	"errors"
	"slices"
	"time"
)

// A Probe is what trying a source out showed. Nothing was applied.
type Probe struct {
	Server         string   `json:"server,omitempty"`
	Vendor         string   `json:"vendor,omitempty"`
	NamingContexts []string `json:"namingContexts,omitempty"`
	Paging         bool     `json:"paging"` // the server announces paged results
	People         int      `json:"people"`
	Inactive       int      `json:"inactive"` // of the people
	Groups         int      `json:"groups"`
	Rejected       int      `json:"rejected"`   // entries that cannot be taken over
	Unresolved     int      `json:"unresolved"` // members that name nobody
	Sample         []Sample `json:"sample,omitempty"`
	// Steps tells how far it came; the last says what to do if it failed.
	Steps []Step        `json:"steps"`
	Took  time.Duration `json:"took"`
}

// A Sample is one of the people read.
type Sample struct {
	UserName   string `json:"userName"`
	ExternalID string `json:"externalId"`
	DN         string `json:"dn"`
	Active     bool   `json:"active"`
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
	var ses *session
	for _, u := range urls {
		var in *IncompleteError
		if ses, err = connect(ctx, s, u); err == nil || errors.As(err, &in) && !in.elsewhere() {
			break
		}
	}
	if !p.step("connect, TLS and bind", err) {
		return p
	}
	p.Server = ses.server
	dse, err := ses.rootDSE()
	ses.close()
	if p.step("ask what the server is", err) {
		const pagedResults = "1.2.840.113556.1.4.319"
		p.Vendor, p.NamingContexts, p.Paging = dse.Vendor, dse.NamingContexts, slices.Contains(dse.Controls, pagedResults)
	}
	sp, err := newSpool("")
	if err != nil {
		p.step("read everything", err)
		return p
	}
	defer sp.close()
	snap, err := Collect(ctx, s, now, newState(sp))
	if err == nil {
		err = p.count(snap)
	}
	p.step("read everything", err)
	return p
}

// count tells what a snapshot holds.
func (p *Probe) count(snap *Snapshot) error {
	const samples = 5
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
			f := person.Profile
			p.Sample = append(p.Sample, Sample{f.UserName, f.ExternalID, f.DN, f.Active})
		}
	}
	e, err := resolve(snap, func(dnKey) (string, bool, error) { return "", false, nil })
	for _, n := range e.unresolved {
		p.Unresolved += n
	}
	return err
}

// Try tries the source of p out.
func (p *Poller) Try(ctx context.Context) Probe {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(p.cfg.Settings.RunTimeout), errRunTimeout)
	defer cancel()
	return Try(ctx, p.cfg.Settings, p.cfg.Now())
}
