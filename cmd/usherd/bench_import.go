package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"golang.org/x/sync/errgroup"
)

// An importBench measures the first import of an identity provider: everybody
// is looked for and made, then the groups, then the memberships. Checks go on
// at a steady pace meanwhile.
type importBench struct {
	as                         string
	users, groups, memberships int
	clients, checks            int
	store, profile             string

	http          *http.Client
	base, bearer  string
	userIDs       []string
	groupIDs      []string
	requests      atomic.Int64
	refused       atomic.Int64
	firstRefusal  sync.Once
	refusedAnswer string
}

// perPatch is how many members each provider puts into one PATCH.
var perPatch = map[string]int{"okta": 100, "entra": 1}

// A phase is one part of an import.
type importPhase struct {
	Requests  int64   `json:"requests"`
	Seconds   float64 `json:"seconds"`
	PerSecond int     `json:"per_second"`
}

// An importResult is the outcome of the benchmark.
type importResult struct {
	As          string      `json:"as"`
	Users       importPhase `json:"users"`
	Groups      importPhase `json:"groups"`
	Memberships importPhase `json:"memberships"`
	All         importPhase `json:"all"`
	Refused     int64       `json:"refused"` // requests that were not answered by a 2xx
	Checks      int         `json:"checks"`
	ChecksP50   int64       `json:"checks_p50_us"`
	ChecksP99   int64       `json:"checks_p99_us"`
	ChecksWrong int64       `json:"checks_wrong"`
	Load        string      `json:"load"` // of the machine, before: what else runs spoils figures
}

func (b *importBench) run(ctx context.Context, a *app, dir string) (result importResult, err error) {
	result.As, result.Load = b.as, loadAverage()
	d, stop, err := a.runEmbedded(ctx, embedding{dir: dir, store: b.store})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	question, err := b.connect(ctx, d)
	if err != nil {
		return result, err
	}
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return result, fmt.Errorf("making the profile: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return result, fmt.Errorf("profiling: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	if err := b.measure(ctx, d, question, &result); err != nil {
		return result, err
	}
	return result, b.verify(ctx, d)
}

// loadAverage is how busy the machine was in the last minute, or empty.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// connect makes the source and somebody about whom checks can be asked.
func (b *importBench) connect(ctx context.Context, d *daemon) (benchQuestion, error) {
	var none benchQuestion
	made, err := d.service.AddSource(ctx, byDemo, admin.NewSource{Name: directory.SourceName(b.as), Kind: directory.KindSCIM})
	if err != nil {
		return none, fmt.Errorf("making the source: %w", err)
	}
	b.base, b.bearer = made.URL, "Bearer "+made.Token
	dialer := &net.Dialer{}
	b.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConnsPerHost: b.clients, MaxConnsPerHost: b.clients, DisableCompression: true,
	}}
	check := checkBench{users: 10, groups: 10}
	questions, err := check.fill(ctx, d)
	if err != nil {
		return none, err
	}
	return questions[0], nil
}

// measure imports while checks are asked.
func (b *importBench) measure(ctx context.Context, d *daemon, question benchQuestion, result *importResult) error {
	asking, stop := context.WithCancel(ctx)
	var took []time.Duration
	var wrong int64
	var checks errgroup.Group
	checks.Go(func() (err error) {
		took, wrong, err = askSteadily(asking, d.public.net.Addr().String(), question, b.checks)
		return err
	})
	err := b.load(ctx, result)
	stop()
	if err := errors.Join(err, checks.Wait()); err != nil {
		return err
	}
	slices.Sort(took)
	result.Checks, result.ChecksWrong, result.Refused = len(took), wrong, b.refused.Load()
	if n := len(took); n > 0 {
		result.ChecksP50, result.ChecksP99 = took[n/2].Microseconds(), took[n*99/100].Microseconds()
	}
	if result.Refused > 0 {
		return fmt.Errorf("%d requests were refused, the first with %s", result.Refused, b.refusedAnswer)
	}
	if wrong > 0 {
		return fmt.Errorf("%d checks were answered wrongly", wrong)
	}
	return nil
}

// askSteadily asks a question rate times a second, until ctx ends. An answer
// that comes late makes those behind it late, as it would for an application.
func askSteadily(ctx context.Context, addr string, q benchQuestion, rate int) (took []time.Duration, wrong int64, err error) {
	if rate < 1 {
		return nil, 0, nil
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return took, wrong, nil
		case <-tick.C:
		}
		one, bad, err := askAll(context.WithoutCancel(ctx), addr, true, []benchQuestion{q}, 0, 1)
		if err != nil {
			return took, wrong, err
		}
		took, wrong = append(took, one...), wrong+bad
	}
}

// load does the three phases.
func (b *importBench) load(ctx context.Context, result *importResult) error {
	b.userIDs, b.groupIDs = make([]string, b.users), make([]string, b.groups)
	each := b.memberships / b.groups
	size := perPatch[b.as]
	patches := (each + size - 1) / size
	for _, phase := range []struct {
		into *importPhase
		n    int
		do   func(ctx context.Context, i int) error
	}{
		{&result.Users, b.users, b.user},
		{&result.Groups, b.groups, b.group},
		// In turns over the groups, as events come, and not group by group.
		{&result.Memberships, patches * b.groups, func(ctx context.Context, i int) error {
			return b.members(ctx, i%b.groups, i/b.groups*size, min((i/b.groups+1)*size, each))
		}},
	} {
		before, begun := b.requests.Load(), time.Now()
		if err := b.parallel(ctx, phase.n, phase.do); err != nil {
			return err
		}
		phase.into.add(b.requests.Load()-before, time.Since(begun).Seconds())
		result.All.add(phase.into.Requests, phase.into.Seconds)
	}
	return nil
}

func (p *importPhase) add(requests int64, seconds float64) {
	p.Requests += requests
	p.Seconds = rounded(p.Seconds + seconds)
	p.PerSecond = int(float64(p.Requests) / max(p.Seconds, 0.01))
}

// parallel does n things over all connections.
func (b *importBench) parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	var next atomic.Int64
	clients, ctx := errgroup.WithContext(ctx)
	for range b.clients {
		clients.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return clients.Wait()
}

// user looks for a user and makes it.
func (b *importBench) user(ctx context.Context, i int) error {
	name := fmt.Sprintf("import-%d@example.com", i)
	var found struct {
		TotalResults int `json:"totalResults"`
	}
	if err := b.do(ctx, http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "`+name+`"`), "", &found); err != nil {
		return err
	}
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":%q,"externalId":"ext-%d","active":true,"displayName":"Import %d","name":{"givenName":"Import","familyName":"No%d"},
		"emails":[{"value":%q,"type":"work","primary":true}],"title":"Fitter",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D%d"}}`, name, i, i, i, name, i%50)
	return b.make(ctx, "/Users", body, &b.userIDs[i])
}

func (b *importBench) group(ctx context.Context, i int) error {
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Import %d","externalId":"grp-%d","members":[]}`, i, i)
	return b.make(ctx, "/Groups", body, &b.groupIDs[i])
}

func (b *importBench) make(ctx context.Context, path, body string, id *string) error {
	var made struct {
		ID string `json:"id"`
	}
	err := b.do(ctx, http.MethodPost, path, body, &made)
	*id = made.ID
	return err
}

// members adds the members from and to of a group, which has its own part of
// all users.
func (b *importBench) members(ctx context.Context, group, from, to int) error {
	var body strings.Builder
	body.WriteString(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Add","path":"members","value":[`)
	for i := from; i < to; i++ {
		if i > from {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"value":%q}`, b.userIDs[(group*37+i)%len(b.userIDs)])
	}
	body.WriteString(`]}]}`)
	return b.do(ctx, http.MethodPatch, "/Groups/"+b.groupIDs[group], body.String(), nil)
}

// do sends one request. What is refused is counted; what does not come through
// is an error.
func (b *importBench) do(ctx context.Context, method, path, body string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, b.base+path, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Authorization", b.bearer)
	req.Header.Set("Content-Type", "application/scim+json")
	b.requests.Add(1)
	resp, err := b.http.Do(req)
	if err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		b.refused.Add(1)
		b.firstRefusal.Do(func() { b.refusedAnswer = resp.Status + " " + string(text) })
		return nil
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	return nil
}

// verify counts what the store has.
func (b *importBench) verify(ctx context.Context, d *daemon) error {
	total := 0
	for _, id := range b.groupIDs {
		g, err := d.store.Group(ctx, directory.SourceName(b.as), directory.GroupID(id))
		if err != nil {
			return fmt.Errorf("verifying: %w", err)
		}
		total += g.Members
	}
	if want := b.memberships / b.groups * b.groups; total != want {
		return fmt.Errorf("the store has %d memberships, not %d", total, want)
	}
	return nil
}
