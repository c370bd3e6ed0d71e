package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// The shape of the permissions in the benchmark.
const (
	benchPermissions   = 1000
	benchPerGroup      = 20
	benchGroupsPerUser = 10
	benchQuestions     = 8192
)

// A checkBench measures the check endpoint.
type checkBench struct {
	users, groups, rounds, clients int
	round                          time.Duration
	decisions                      bool // are logged, every one
}

// A figure is what was measured of one endpoint: medians over rounds.
type figure struct {
	PerSecond int   `json:"per_second"`
	P50       int64 `json:"p50_us"`
	P99       int64 `json:"p99_us"`
	// CPU is what an answer costs this process in µs, the load generator
	// included: both endpoints carry the same one.
	CPU float64 `json:"cpu_us"`
}

// A benchResult is the outcome of the benchmark.
type benchResult struct {
	Check    figure  `json:"check"`
	Bare     figure  `json:"bare"`
	Ratio    float64 `json:"ratio"`     // checks per second, of the bare handler's
	P99Ratio float64 `json:"p99_ratio"` // of the bare handler's p99
	CPURatio float64 `json:"cpu_ratio"` // of the bare handler's CPU an answer
	Verified int64   `json:"verified"`
	Wrong    int64   `json:"wrong"`
}

// A benchQuestion is one rendered request and its right answer.
type benchQuestion struct {
	request []byte
	want    bool
}

func (b *checkBench) run(ctx context.Context, a *app, dir string) (result benchResult, err error) {
	d, stop, err := a.runEmbedded(ctx, embedding{dir: dir, decisions: b.decisions})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	fmt.Fprintf(a.stderr, "filling the directory: %d users, %d groups\n", b.users, b.groups)
	questions, err := b.fill(ctx, d)
	if err != nil {
		return result, err
	}
	bare, closeBare, err := bareServer(ctx, d.log)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, closeBare()) }()
	return b.measure(ctx, a, d.public.net.Addr().String(), bare, questions)
}

// bareServer answers every request with the same decision.
func bareServer(ctx context.Context, log *zap.Logger) (addr string, closeServer func() error, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listening: %w", err)
	}
	srv := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the client sends what it sends
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"decision":true}`)
	}), log)
	go func() { _ = srv.Serve(l) }() // ends by Close
	return l.Addr().String(), srv.Close, nil
}

// fill makes groups with permissions and users in groups, and questions about
// them of which half are to be allowed.
func (b *checkBench) fill(ctx context.Context, d *daemon) ([]benchQuestion, error) {
	rnd := rand.New(rand.NewPCG(1, 2))
	if _, err := d.service.ApplyPolicy(ctx, byDemo, admin.PolicyFile{Name: "bench.yaml", Text: "apiVersion: usherd/v1\nresources:\n  thing: {actions: [use]}\n"}); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	gives, groups, err := b.makeGroups(ctx, d, rnd)
	if err != nil {
		return nil, err
	}
	tok, err := d.service.CreateToken(ctx, byDemo, admin.NewToken{Kind: directory.TokenCheck, Name: "bench"})
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	may, err := b.makeUsers(ctx, d, rnd, groups, gives)
	if err != nil {
		return nil, err
	}
	questions := make([]benchQuestion, benchQuestions)
	for i := range questions {
		user, want := rnd.IntN(b.users), i%2 == 0
		thing := rnd.IntN(benchPermissions)
		for may[user][thing] != want {
			thing = rnd.IntN(benchPermissions)
		}
		questions[i] = benchQuestion{render(tok.Token, user, thing), want}
	}
	return questions, nil
}

func (b *checkBench) makeGroups(ctx context.Context, d *daemon, rnd *rand.Rand) (gives [][]int, ids []directory.GroupID, err error) {
	for g := range b.groups {
		id := directory.GroupID(directory.NewID())
		changes := []directory.Change{directory.CreateGroup{ID: id, Source: directory.Local, Name: fmt.Sprintf("group-%d", g)}}
		things := rnd.Perm(benchPermissions)[:benchPerGroup]
		for _, t := range things {
			changes = append(changes, directory.PutGrant{Grant: directory.Grant{
				ID: directory.NewID(), Group: id, Origin: directory.ByHand, Created: time.Now(),
				Privilege: directory.Privilege{Kind: directory.RolePrivilege, Key: fmt.Sprintf("thing:t-%d:use", t)},
			}})
		}
		if _, err := d.store.Apply(ctx, byDemo, changes...); err != nil {
			return nil, nil, fmt.Errorf("making a group: %w", err)
		}
		ids, gives = append(ids, id), append(gives, things)
	}
	return gives, ids, nil
}

// makeUsers returns, for each user, the things that the user may use.
func (b *checkBench) makeUsers(ctx context.Context, d *daemon, rnd *rand.Rand, groups []directory.GroupID, gives [][]int) ([]map[int]bool, error) {
	may := make([]map[int]bool, b.users)
	members := make([][]string, len(groups))
	const batch = 200
	for begin := 0; begin < b.users; begin += batch {
		var changes []directory.Change
		for u := begin; u < min(begin+batch, b.users); u++ {
			id := directory.NewID()
			changes = append(changes, directory.CreateUser{
				ID: directory.UserID(id), Source: directory.Local,
				Profile: directory.Profile{UserName: benchUser(u), Active: true},
			})
			may[u] = map[int]bool{}
			for _, g := range rnd.Perm(len(groups))[:min(benchGroupsPerUser, len(groups))] {
				members[g] = append(members[g], id)
				for _, t := range gives[g] {
					may[u][t] = true
				}
			}
		}
		if _, err := d.visible.Apply(ctx, byDemo, changes...); err != nil {
			return nil, fmt.Errorf("making users: %w", err)
		}
	}
	for g, values := range members {
		if _, err := d.visible.Apply(ctx, byDemo, directory.AddMembers{Group: groups[g], Source: directory.Local, Values: values}); err != nil {
			return nil, fmt.Errorf("filling a group: %w", err)
		}
	}
	return may, nil
}

func benchUser(n int) string { return fmt.Sprintf("user-%d@example.com", n) }

func render(token string, user, thing int) []byte {
	body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"use"},"resource":{"type":"thing","id":"t-%d"}}`, benchUser(user), thing)
	return fmt.Appendf(nil, "POST /access/v1/evaluation HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", token, len(body), body)
}

// measure runs the rounds, the two endpoints in turns.
func (b *checkBench) measure(ctx context.Context, a *app, check, bare string, questions []benchQuestion) (benchResult, error) {
	var checks, bares []sample
	var result benchResult
	if err := b.warm(ctx, check, questions); err != nil {
		return result, err
	}
	for round := range b.rounds {
		for _, target := range []struct {
			addr   string
			verify bool
			into   *[]sample
		}{{bare, false, &bares}, {check, true, &checks}} {
			s, err := b.load(ctx, target.addr, target.verify, questions)
			if err != nil {
				return result, err
			}
			*target.into = append(*target.into, s)
			result.Wrong += s.wrong
			if target.verify {
				result.Verified += s.answers
			}
		}
		fmt.Fprintf(a.stderr, "round %d: bare %.0f/s, check %.0f/s\n", round+1, bares[round].perSecond, checks[round].perSecond)
	}
	result.Check, result.Bare = medians(checks), medians(bares)
	result.Ratio = rounded(float64(result.Check.PerSecond) / float64(max(1, result.Bare.PerSecond)))
	result.CPURatio = rounded(result.Check.CPU / max(0.01, result.Bare.CPU))
	result.P99Ratio = rounded(float64(result.Check.P99) / float64(max(1, result.Bare.P99)))
	if result.Wrong > 0 {
		return result, fmt.Errorf("%d answers were wrong", result.Wrong)
	}
	return result, nil
}

func rounded(f float64) float64 { return float64(int(f*100+0.5)) / 100 }

// A sample is one round of one endpoint.
type sample struct {
	perSecond      float64
	p50, p99, cpu  time.Duration
	answers, wrong int64
}

func medians(samples []sample) figure {
	median := func(value func(sample) float64) float64 {
		list := make([]float64, len(samples))
		for i, s := range samples {
			list[i] = value(s)
		}
		slices.Sort(list)
		return list[len(list)/2]
	}
	return figure{
		PerSecond: int(median(func(s sample) float64 { return s.perSecond })),
		P50:       int64(median(func(s sample) float64 { return float64(s.p50.Microseconds()) })),
		P99:       int64(median(func(s sample) float64 { return float64(s.p99.Microseconds()) })),
		CPU:       rounded(median(func(s sample) float64 { return float64(s.cpu.Nanoseconds()) / 1000 })),
	}
}

// warm asks every question once, so that everybody is in memory.
func (b *checkBench) warm(ctx context.Context, addr string, questions []benchQuestion) error {
	var clients errgroup.Group
	for n := range b.clients {
		clients.Go(func() error {
			share := questions[n*len(questions)/b.clients : (n+1)*len(questions)/b.clients]
			_, wrong, err := askAll(ctx, addr, true, share, 0, len(share))
			if err == nil && wrong > 0 {
				err = fmt.Errorf("%d answers were wrong", wrong)
			}
			return err
		})
	}
	return clients.Wait()
}

// load asks questions over all connections for a while.
func (b *checkBench) load(ctx context.Context, addr string, verify bool, questions []benchQuestion) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, b.round)
	defer cancel()
	var all []time.Duration
	var mu sync.Mutex // guards all and first
	var first error
	var wrong atomic.Int64
	var clients sync.WaitGroup
	begun, busy := time.Now(), cpuTime()
	for n := range b.clients {
		clients.Go(func() {
			took, bad, err := askAll(ctx, addr, verify, questions, n*37, math.MaxInt)
			wrong.Add(bad)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if first == nil {
				first = err
			}
		})
	}
	clients.Wait()
	spent, busy := time.Since(begun).Seconds(), cpuTime()-busy
	if first != nil {
		return sample{}, first
	}
	if len(all) == 0 {
		return sample{}, errors.New("nothing was answered in a round")
	}
	slices.Sort(all)
	return sample{
		perSecond: float64(len(all)) / spent, p50: all[len(all)/2], p99: all[len(all)*99/100],
		answers: int64(len(all)), wrong: wrong.Load(), cpu: busy / time.Duration(len(all)),
	}, nil
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// askAll asks at most most questions over one connection, until ctx ends.
func askAll(ctx context.Context, addr string, verify bool, questions []benchQuestion, first, most int) (took []time.Duration, wrong int64, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, 0, fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for i := first; ctx.Err() == nil && i-first < most; i++ {
		q := questions[i%len(questions)]
		begun := time.Now()
		if _, err := conn.Write(q.request); err != nil {
			return took, wrong, fmt.Errorf("asking: %w", err)
		}
		body, err := readAnswer(r)
		if err != nil {
			return took, wrong, err
		}
		took = append(took, time.Since(begun))
		if verify && strings.TrimSpace(body) != map[bool]string{true: `{"decision":true}`, false: `{"decision":false}`}[q.want] {
			wrong++
		}
	}
	return took, wrong, nil
}

// readAnswer reads one response whose length is given, and demands 200.
func readAnswer(r *bufio.Reader) (string, error) {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return "", fmt.Errorf("reading an answer: %w", err)
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return "", fmt.Errorf("the answer is %s", strings.TrimSpace(string(status)))
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", fmt.Errorf("reading an answer: %w", err)
		}
		if len(line) <= 2 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return "", fmt.Errorf("reading an answer: %w", err)
			}
		}
	}
	if length < 0 || length > 1<<20 {
		return "", errors.New("the answer does not give its length")
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", fmt.Errorf("reading an answer: %w", err)
	}
	return string(body), nil
}
