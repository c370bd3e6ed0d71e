package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The memory that the daemon of this test has, and what it may keep of it.
const (
	hostileLimit = 256 << 20
	hostileKept  = 32 << 20
	hostileMany  = 64 // attackers at a time

	// What the daemon may work for two refusals, with a token and without. It is counted, not waited for:
	// other programs on the machine do not matter.
	hostileWork = 25 * time.Millisecond
)

// A process is a daemon of its own, built without the race detector, whose
// memory is counted.
type process struct {
	t          *testing.T
	pid        int
	addr       string
	path       string // of its one source
	token      string
	binary     string
	data       string
	ended      chan error
	beforeBang int64 // resident bytes before the attack
}

func startProcess(t *testing.T, env ...string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{t: t, binary: filepath.Join(dir, "usherd"), data: filepath.Join(dir, "data"), ended: make(chan error, 1)}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	cmd := exec.Command(p.binary, "serve", "--data", p.data, "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--log-level", "error")
	cmd.Env = append(os.Environ(), env...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = cmd.Process.Pid
	go func() { p.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		if err := <-p.ended; err == nil {
			t.Error("the daemon ended by itself")
		}
		if t.Failed() {
			t.Logf("the daemon says:\n%.4000s", log.String())
		}
	})
	p.wait(patience, "ready", func() error {
		return exec.CommandContext(t.Context(), p.binary, "healthcheck", "--data", p.data).Run()
	})
	out, err := exec.CommandContext(t.Context(), p.binary, "source", "add", "hostile", "--kind", "scim", "--data", p.data, "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ URL, Token string }
	if err := json.Unmarshal(out, &made); err != nil {
		t.Fatal(err)
	}
	rest := strings.TrimPrefix(made.URL, "http://")
	p.addr, p.path, _ = strings.Cut(rest, "/")
	p.path, p.token = "/"+p.path, made.Token
	return p
}

// wait asks until the answer is nil.
func (p *process) wait(limit time.Duration, what string, ask func() error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("%s: not within %v: %v", what, limit, err)
		case <-tick.C:
		}
	}
}

// memory returns a line of /proc/PID/status in bytes.
func (p *process) memory(line string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		p.t.Fatalf("the daemon is gone: %v", err)
	}
	_, rest, _ := strings.Cut(string(text), line+":")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return kib << 10
}

// work returns the time that the daemon has had of the processors, in all.
func (p *process) work() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		p.t.Fatalf("the daemon is gone: %v", err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	const tick = 10 * time.Millisecond // USER_HZ is 100 everywhere
	var sum time.Duration
	for _, field := range strings.Fields(rest)[11:13] { // utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		sum += time.Duration(n) * tick
	}
	return sum
}

// An attack is one hostile request, and how the answer may begin.
type attack struct {
	claim   string
	method  string
	path    string // below the address of the source
	header  []string
	body    []byte
	endless bool // chunks of body until the answer comes
	want    []int
}

func attacks() []attack {
	deep := func(n int) []byte {
		return []byte(`{"schemas":[],"userName":"x","title":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}")
	}
	filter := func(text string) []byte {
		return []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":` + strconv.Quote(text) + "}")
	}
	path := func(text string) []byte {
		return []byte(`{"Operations":[{"op":"add","path":` + strconv.Quote(text) + `,"value":"x"}]}`)
	}
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, _ = zip.Write(bytes.Repeat([]byte(" "), 64<<20)) // a buffer takes everything
	_ = zip.Close()
	parens := strings.Repeat("(", 100_000)
	ors := strings.Repeat(`userName eq "a" or `, 100_000) + "id pr"
	small := func(element string, n int) []byte {
		return []byte(`{"displayName":"x","members":[` + strings.Repeat(element+",", n) + element + `]}`)
	}
	return []attack{
		{claim: "100,000 parentheses in a filter", method: "POST", path: "/.search", body: filter(parens), want: []int{400}},
		{claim: "30,000 of them in an address", method: "GET", path: "/Users?filter=" + parens[:30_000], want: []int{400, 431}},
		{claim: "100,000 of them in an address", method: "GET", path: "/Users?filter=" + parens, want: []int{431}},
		{claim: "4,000 of them, which fit", method: "POST", path: "/Users/.search", body: filter(parens[:4_000]), want: []int{400}},
		{claim: "100,000 of them in a path", method: "PATCH", path: "/Users/x", body: path("emails[" + parens), want: []int{400}},
		{claim: "4,000 of them in a path", method: "PATCH", path: "/Users/x", body: path("emails[" + parens[:4_000]), want: []int{400}},
		{claim: "1.9 MB of or", method: "POST", path: "/.search", body: filter(ors), want: []int{400}},
		{claim: "1.9 MB of or for users", method: "POST", path: "/Users/.search", body: filter(ors), want: []int{413}},
		{claim: "JSON 9,000 deep", method: "POST", path: "/Users", body: deep(9_000), want: []int{400}},
		{claim: "JSON 450,000 deep", method: "POST", path: "/Users", body: deep(450_000), want: []int{400}},
		{claim: "a gzip bomb", method: "POST", path: "/Users", header: []string{"Content-Encoding: gzip"}, body: bomb.Bytes(), want: []int{415}},
		{claim: "8 MB of small objects", method: "POST", path: "/Groups", body: small("{}", 2_600_000), want: []int{400, 413}},
		{claim: "8 MB of small lists", method: "POST", path: "/Groups", body: small("[0]", 2_000_000), want: []int{400, 413}},
		{claim: "8 MB of names", method: "POST", path: "/Groups", body: small(`{"a":1}`, 1_000_000), want: []int{400, 413}},
		{claim: "100,000 members, all the same", method: "POST", path: "/Groups", body: small(`"m"`, 100_000), want: []int{201, 409, 413}},
		{claim: "an endless body", method: "POST", path: "/Users", body: bytes.Repeat([]byte(" "), 64<<10), endless: true, want: []int{413}},
		{claim: "an endless body about groups", method: "POST", path: "/Groups", body: bytes.Repeat([]byte(" "), 64<<10), endless: true, want: []int{413}},
		{claim: "a huge promise", method: "PUT", path: "/Groups/x", header: []string{"Content-Length: 1099511627776"}, want: []int{413}},
		{claim: "a promise asked about first", method: "PUT", path: "/Groups/x", header: []string{"Content-Length: 9000000", "Expect: 100-continue"}, want: []int{413}},
		{claim: "10,000 operations", method: "POST", path: "/Bulk", body: []byte(`{"Operations":[` + strings.Repeat("{},", 9_999) + "{}]}"), want: []int{413}},
	}
}

// send makes one attack and returns the status.
func (p *process) send(a attack, token string) (int, error) {
	conn, err := net.DialTimeout("tcp", p.addr, 10*time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s%s HTTP/1.1\r\nHost: usherd.test\r\nConnection: close\r\n", a.method, p.path, a.path)
	if token != "" {
		fmt.Fprintf(&head, "Authorization: Bearer %s\r\n", token)
	}
	if a.method != "GET" {
		head.WriteString("Content-Type: application/scim+json\r\n")
	}
	for _, line := range a.header {
		head.WriteString(line + "\r\n")
	}
	switch {
	case a.endless:
		head.WriteString("Transfer-Encoding: chunked\r\n")
	case a.body != nil:
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(a.body))
	}
	head.WriteString("\r\n")
	go func() { // until the daemon has had enough
		if _, err := io.WriteString(conn, head.String()); err != nil {
			return
		}
		for {
			if a.endless {
				if _, err := fmt.Fprintf(conn, "%x\r\n", len(a.body)); err != nil {
					return
				}
			}
			if _, err := conn.Write(a.body); err != nil || !a.endless {
				return
			}
			if _, err := io.WriteString(conn, "\r\n"); err != nil {
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}

// refuse makes an attack many times at once. What is closed while the attacker
// is still sending may reach it as a reset.
func (p *process) refuse(a attack, token string, want []int, many int) time.Duration {
	p.t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex // guards longest
	var longest time.Duration
	for range many {
		all.Go(func() {
			begun := time.Now()
			status, err := p.send(a, token)
			took := time.Since(begun)
			mu.Lock()
			defer mu.Unlock()
			longest = max(longest, took)
			if _, reset := errors.AsType[*net.OpError](err); reset && len(a.body) > 0 {
				return
			}
			if err != nil {
				p.t.Errorf("%s, token %t: %v", a.claim, token != "", err)
				return
			}
			for _, w := range append(want, http.StatusTooManyRequests, http.StatusServiceUnavailable) {
				if status == w {
					return
				}
			}
			p.t.Errorf("%s, token %t: status %d, want one of %v", a.claim, token != "", status, want)
		})
	}
	all.Wait()
	return longest
}

// confine lets the kernel refuse the process more memory than that. It counts
// what is reserved for writing, which is more than what is resident.
func (p *process) confine(limit int) {
	p.t.Helper()
	if out, err := exec.CommandContext(p.t.Context(), "prlimit", "--pid", strconv.Itoa(p.pid), fmt.Sprintf("--data=%d", limit)).CombinedOutput(); err != nil {
		p.t.Fatalf("prlimit (of util-linux): %v: %s", err, out)
	}
}

// TestHostileRequests attacks a real daemon that has 256 MiB. It refuses, does
// not grow beyond that, answers others, and gives the memory back.
func TestHostileRequests(t *testing.T) {
	p := startProcess(t, fmt.Sprintf("GOMEMLIMIT=%d", hostileLimit*8/10))
	p.confine(hostileLimit)
	p.refuse(attack{claim: "somebody quiet", method: "GET", path: "/Users", want: []int{200}}, p.token, []int{200}, 1)
	p.beforeBang = p.memory("VmRSS")
	for _, a := range attacks() {
		alone := p.refuse(a, "", []int{401, 431}, 1)
		aloneKnown := p.refuse(a, p.token, a.want, 1)
		begun := p.work()
		together := p.refuse(a, "", []int{401, 431}, hostileMany)
		between := p.work()
		togetherKnown := p.refuse(a, p.token, a.want, hostileMany)
		t.Logf("%-32s alone %v, with token %v; %d at a time %v, with token %v; each takes %v, with token %v; %d MiB", a.claim,
			alone.Round(time.Millisecond), aloneKnown.Round(time.Millisecond), hostileMany,
			together.Round(time.Millisecond), togetherKnown.Round(time.Millisecond),
			(between-begun)/hostileMany, (p.work()-between)/hostileMany, p.memory("VmRSS")>>20)
		if each := (p.work() - begun) / hostileMany; each > hostileWork {
			t.Errorf("%s: two refusals take %v of work, want at most %v", a.claim, each, hostileWork)
		}
	}
	p.refuse(attack{claim: "somebody quiet, afterwards", method: "GET", path: "/Users", want: []int{200}}, p.token, []int{200}, 1)
	if peak := p.memory("VmHWM"); peak > hostileLimit {
		t.Errorf("the daemon had %d MiB, want at most %d", peak>>20, hostileLimit>>20)
	}
	t.Logf("before %d MiB, at most %d MiB", p.beforeBang>>20, p.memory("VmHWM")>>20)
	p.wait(patience, "the memory comes back", func() error {
		if grown := p.memory("VmRSS") - p.beforeBang; grown > hostileKept {
			return fmt.Errorf("%d MiB more than before", grown>>20)
		}
		return nil
	})
}
