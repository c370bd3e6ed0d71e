package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/usherd/usherd/cache/cachetest"
	"github.com/usherd/usherd/ldapsync/ldaptest"
	"github.com/usherd/usherd/store/storetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"usherd": main})
}

// TestScripts runs the stories of testdata: what operators, identity providers
// and applications do, against the real binary.
func TestScripts(t *testing.T) {
	t.Parallel()
	identityProviders := &providers{}
	silent := &stalling{proxies: map[string]*ldaptest.Proxy{}}
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true, ContinueOnError: os.Getenv("USHERD_TEST_CONTINUE") != "",
		Setup: func(env *testscript.Env) error {
			// A short folder of its own: the name of a socket has a limit.
			env.Setenv("USHERD_DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("CI", os.Getenv("CI"))
			// A race ends the daemon and so the story; no command waits a second at its end.
			env.Setenv("GORACE", "halt_on_error=1 atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready": cmdReady, "http": cmdHTTP, "json": cmdJSON, "jsonenv": cmdJSONEnv, "ask": cmdAsk,
			"terminate": cmdTerminate, "until": cmdUntil, "status": cmdStatus, "metric": cmdMetric,
			"ldif":     cmdLDIF,
			"postgres": func(ts *testscript.TestScript, _ bool, args []string) { ts.Setenv(args[0], storetest.Postgres(t)) },
			"redis":    func(ts *testscript.TestScript, _ bool, args []string) { ts.Setenv(args[0], cachetest.Start(t).URL) },
			"slapd":    func(ts *testscript.TestScript, _ bool, args []string) { cmdSlapd(ts, t, args) },
			"stall":    func(ts *testscript.TestScript, _ bool, args []string) { silent.stall(ts, t, args) },
			"unstall":  silent.unstall,
			"oidc":     func(ts *testscript.TestScript, _ bool, args []string) { identityProviders.start(ts, t, args) },
			"signin":   identityProviders.signIn,
		},
	})
}

// patience is how long a condition may take to come true on a loaded machine.
const patience = 2 * time.Minute

// eventually asks until the answer is nil.
func eventually(ts *testscript.TestScript, limit time.Duration, what string, ask func() error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s: not within %v: %v", what, limit, err)
		case <-tick.C:
		}
	}
}

// cmdReady waits until the daemon on a data folder is ready, and sets the
// variables PREFIX_URL, PREFIX_LISTEN, PREFIX_OPS and PREFIX_PID: ready DATA
// [PREFIX].
func cmdReady(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: ready DATA [PREFIX]")
	}
	prefix := ""
	if len(args) == 2 {
		prefix = args[1] + "_"
	}
	var at addresses
	eventually(ts, patience, "ready", func() error {
		text, err := os.ReadFile(filepath.Join(ts.MkAbs(args[0]), "usherd.addr"))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &at); err != nil {
			return err
		}
		resp, err := http.Get("http://" + at.OpsListen + "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
	ts.Setenv(prefix+"URL", at.URL)
	ts.Setenv(prefix+"LISTEN", at.Listen)
	ts.Setenv(prefix+"OPS", "http://"+at.OpsListen)
	ts.Setenv(prefix+"PID", strconv.Itoa(at.PID))
}

// cmdTerminate sends a signal to a process, and waits for its end after KILL:
// terminate TERM|HUP|KILL PID.
func cmdTerminate(ts *testscript.TestScript, _ bool, args []string) {
	sig := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}
	pid, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(syscall.Kill(pid, sig[args[0]]))
	if args[0] != "KILL" {
		return
	}
	eventually(ts, patience, "the end of the process", func() error {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			return errors.New("it is there")
		}
		return nil
	})
}

// cmdHTTP sends a request and checks the status; the body goes to stdout and
// the headers to stderr: http STATUS METHOD URL [-t TOKEN] [-c CONTENT-TYPE]
// [-h 'Name: value'] [-d BODY | -f FILE].
func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 || neg {
		ts.Fatalf("usage: http STATUS METHOD URL [-t TOKEN] [-c TYPE] [-h HEADER] [-d BODY | -f FILE]")
	}
	var body io.Reader
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	for opts := args[3:]; len(opts) > 1; opts = opts[2:] {
		switch opts[0] {
		case "-t":
			header.Set("Authorization", "Bearer "+opts[1])
		case "-c":
			header.Set("Content-Type", opts[1])
		case "-h":
			name, value, _ := strings.Cut(opts[1], ": ")
			header.Set(name, value)
		case "-d":
			body = strings.NewReader(opts[1])
		case "-f":
			body = strings.NewReader(ts.ReadFile(opts[1]))
		default:
			ts.Fatalf("unknown option %s", opts[0])
		}
	}
	req, err := http.NewRequest(args[1], args[2], body)
	ts.Check(err)
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	_, err = ts.Stdout().Write(append(bytes.TrimRight(text, "\n"), '\n'))
	ts.Check(err)
	ts.Check(resp.Header.Write(ts.Stderr()))
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("%s %s: status %s, want %s: %s", args[1], args[2], resp.Status, args[0], text)
	}
}

// member is the value at a path in a JSON document: "items.0.name", "items.len"
// for a length.
func member(text, path string) (any, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, fmt.Errorf("%w in %.200s", err, text)
	}
	for part := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[part]
		case []any:
			if part == "len" {
				v = float64(len(node))
				continue
			}
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(node) {
				return nil, fmt.Errorf("no element %s", part)
			}
			v = node[i]
		default:
			if part != "" {
				return nil, fmt.Errorf("no member %s", part)
			}
		}
	}
	return v, nil
}

func shown(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// cmdJSON checks members of the JSON in stdout or a file: [!] json FILE PATH WANT…
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 || len(args)%2 == 0 {
		ts.Fatalf("usage: [!] json FILE PATH WANT [PATH WANT]…")
	}
	text := ts.ReadFile(args[0])
	for rest := args[1:]; len(rest) > 0; rest = rest[2:] {
		v, err := member(text, rest[0])
		if err != nil && !neg {
			ts.Fatalf("%s: %v in %s", rest[0], err, text)
		}
		if (shown(v) == rest[1]) == neg {
			ts.Fatalf("%s is %s, want (not: %t) %s in %s", rest[0], shown(v), neg, rest[1], text)
		}
	}
}

// cmdJSONEnv sets variables to members of a JSON document: jsonenv FILE NAME PATH…
func cmdJSONEnv(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	for rest := args[1:]; len(rest) > 1; rest = rest[2:] {
		v, err := member(text, rest[1])
		ts.Check(err)
		if v == nil {
			ts.Fatalf("no member %s in %s", rest[1], text)
		}
		ts.Setenv(rest[0], shown(v))
	}
}

// cmdAsk asks a check over HTTP: ask URL TOKEN true|false USER ACTION TYPE/ID
// [PROJECT] [within DURATION]. Without within the first answer must be right.
func cmdAsk(ts *testscript.TestScript, neg bool, args []string) {
	var limit time.Duration
	if n := len(args); n > 2 && args[n-2] == "within" {
		d, err := time.ParseDuration(args[n-1])
		ts.Check(err)
		limit, args = d, args[:n-2]
	}
	if len(args) < 6 || len(args) > 7 || neg {
		ts.Fatalf("usage: ask URL TOKEN true|false USER ACTION TYPE/ID [PROJECT] [within DURATION]")
	}
	typ, id, _ := strings.Cut(args[5], "/")
	body := map[string]any{
		"subject": map[string]any{"type": "user", "id": args[3]}, "action": map[string]any{"name": args[4]},
		"resource": map[string]any{"type": typ, "id": id},
	}
	if len(args) == 7 {
		body["context"] = map[string]any{"project": args[6]}
	}
	c := &caller{base: args[0], token: args[1], media: "application/json"}
	question := func() error {
		var answer struct{ Decision *bool }
		if _, err := c.do(context.Background(), http.MethodPost, "/access/v1/evaluation", body, &answer); err != nil {
			return err
		}
		if answer.Decision == nil || strconv.FormatBool(*answer.Decision) != args[2] {
			return fmt.Errorf("the answer is not %s", args[2])
		}
		return nil
	}
	if limit == 0 {
		if err := question(); err != nil {
			ts.Fatalf("%s may %s %s: %v", args[3], args[4], args[5], err)
		}
		return
	}
	eventually(ts, limit, strings.Join(args[3:], " "), question)
}

// cmdStatus runs a command that must exit with a code: status CODE usherd ARGS….
func cmdStatus(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s exits with %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// cmdUntil repeats a command until its output contains a text: until usherd
// ARGS… -- TEXT.
func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	n := len(args)
	if n < 3 || args[n-2] != "--" {
		ts.Fatalf("usage: until COMMAND… -- TEXT")
	}
	eventually(ts, patience, strings.Join(args, " "), func() error {
		if err := ts.Exec(args[0], args[1:n-2]...); err != nil {
			return err
		}
		if out := ts.ReadFile("stdout"); !strings.Contains(out, args[n-1]) {
			return fmt.Errorf("no %q in %s", args[n-1], out)
		}
		return nil
	})
}

// cmdMetric waits until a line is among the metrics at $OPS: metric LINE.
func cmdMetric(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, patience, args[0], func() error {
		resp, err := http.Get(ts.Getenv("OPS") + "/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && !strings.Contains(string(text), "\n"+args[0]+"\n") {
			err = errors.New("no such line")
		}
		return err
	})
}

// cmdSlapd starts an OpenLDAP server, with so many bulk users, and sets LDAP_URL,
// LDAP_BASE, LDAP_BIND and LDAP_PASSWORD_FILE: slapd [USERS].
func cmdSlapd(ts *testscript.TestScript, t *testing.T, args []string) {
	var c ldaptest.Config
	if len(args) == 1 {
		n, err := strconv.Atoi(args[0])
		ts.Check(err)
		c.Users = n
	}
	s := ldaptest.Start(t, c)
	file := ts.MkAbs("ldap-password")
	ts.Check(os.WriteFile(file, []byte(s.Password), 0o600))
	ts.Setenv("LDAP_URL", s.URL)
	ts.Setenv("LDAP_BASE", s.Base)
	ts.Setenv("LDAP_BIND", s.BindDN)
	ts.Setenv("LDAP_PASSWORD_FILE", file)
}

// cmdLDIF writes the records of a template for the bulk users from FROM to TO,
// %04d being the number: ldif OUT TEMPLATE FROM TO.
func cmdLDIF(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: ldif OUT TEMPLATE FROM TO")
	}
	from, err := strconv.Atoi(args[2])
	ts.Check(err)
	to, err := strconv.Atoi(args[3])
	ts.Check(err)
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintln(&b, strings.ReplaceAll(ts.ReadFile(args[1]), "%04d", fmt.Sprintf("%04d", i)))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}
