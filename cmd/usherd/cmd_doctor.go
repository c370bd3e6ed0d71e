package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
)

// A diagnosis is one thing that was looked at.
type diagnosis struct {
	Check  string `json:"check"`
	Result string `json:"result"` // success, warning or failure
	Detail string `json:"detail"`
	Do     string `json:"do,omitempty"` // what to do about it
}

const (
	success = "success"
	warning = "warning"
	failure = "failure"
)

func (a *app) doctorCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong and say what to do", Args: cobra.NoArgs,
		Example: "  usherd doctor\n  usherd doctor --strict -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkFormat(); err != nil {
				return err
			}
			list := a.diagnose(cmd.Context())
			text, err := json.Marshal(map[string]any{"items": list})
			if err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			if err := a.print(text, columns("RESULT=result CHECK=check DETAIL=detail DO=do")); err != nil {
				return err
			}
			return verdict(list, strict)
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with 1 on warnings too")
	return cmd
}

func verdict(list []diagnosis, strict bool) error {
	failures, warnings := 0, 0
	for _, d := range list {
		switch d.Result {
		case failure:
			failures++
		case warning:
			warnings++
		}
	}
	if failures > 0 || strict && warnings > 0 {
		return fmt.Errorf("%d failures, %d warnings", failures, warnings)
	}
	return nil
}

// diagnose looks at everything that can be looked at; what hangs on something
// that fails is left out.
func (a *app) diagnose(ctx context.Context) []diagnosis {
	if a.server != "" {
		return a.diagnoseRemote(ctx)
	}
	cfg, err := a.load()
	if err != nil {
		return []diagnosis{{"configuration", failure, err.Error(), "usherd config check"}}
	}
	list := []diagnosis{{"configuration", success, "valid", ""}}
	for _, w := range cfg.Warnings() {
		list = append(list, diagnosis{"configuration", warning, w.Error(), ""})
	}
	list = append(append(list, folder(cfg), clock()), diskSpace(cfg)...)
	if cfg.Redis.URL != "" {
		list = append(list, diagnoseRedis(ctx, cfg))
	}
	running, state := a.diagnoseDaemon(ctx, cfg)
	list = append(list, state)
	c, err := a.connect(ctx, false)
	if err != nil {
		return append(list, diagnosis{"store", failure, err.Error(), cmp.Or(map[bool]string{false: "start the daemon: usherd serve"}[running], "see the daemon's log")})
	}
	if running {
		list = append(list, diagnoseTaken(ctx, c)...)
	}
	list = append(list, a.diagnoseStore(ctx, c)...)
	if err := c.close(); err != nil {
		list = append(list, diagnosis{"store", warning, err.Error(), ""})
	}
	return list
}

// diagnoseRemote looks at what a daemon elsewhere says of itself; what is on its
// machine can be looked at there only.
func (a *app) diagnoseRemote(ctx context.Context) []diagnosis {
	c, err := a.remote()
	if err != nil {
		return []diagnosis{{"daemon", failure, err.Error(), ""}}
	}
	if _, err := c.call(ctx, http.MethodGet, at("me"), nil); err != nil {
		return []diagnosis{{"daemon", failure, err.Error(), "check the address and the token"}}
	}
	list := []diagnosis{{"daemon", success, c.where + " answers", ""}, clock()}
	return append(list, a.diagnoseStore(ctx, c)...)
}

func folder(cfg *config.Config) diagnosis {
	info, err := os.Stat(cfg.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return diagnosis{"data folder", warning, cfg.Data + " does not exist", "the daemon makes it at its first start"}
	case err != nil:
		return diagnosis{"data folder", failure, err.Error(), "let the daemon's user own the folder"}
	case !info.IsDir():
		return diagnosis{"data folder", failure, cfg.Data + " is not a folder", "name a folder with --data"}
	case info.Mode().Perm()&0o077 != 0:
		return diagnosis{"data folder", warning, fmt.Sprintf("%s is open to others (%v)", cfg.Data, info.Mode().Perm()), "chmod 700 " + cfg.Data}
	}
	return diagnosis{"data folder", success, cfg.Data, ""}
}

// clock: tokens expire by it, and logs are read by it.
func clock() diagnosis {
	if now := time.Now(); now.Year() < 2025 {
		return diagnosis{"clock", failure, "it is " + now.UTC().Format(time.RFC3339), "set the clock, and let NTP keep it"}
	}
	return diagnosis{"clock", success, time.Now().UTC().Format(time.RFC3339), ""}
}

func diagnoseRedis(ctx context.Context, cfg *config.Config) diagnosis {
	o, err := redis.ParseURL(cfg.Redis.URL)
	if err != nil {
		return diagnosis{"redis", failure, "the address is not valid", "correct redis.url"}
	}
	o.Password = cmp.Or(cfg.Redis.Password.Reveal(), o.Password)
	o.DialTimeout, o.MaxRetries = 2*time.Second, -1
	c := redis.NewClient(o)
	defer c.Close()
	begun := time.Now()
	if err := c.Ping(ctx).Err(); err != nil {
		return diagnosis{"redis", warning, err.Error(), "checks are answered without it, more slowly; start it, or correct redis.url"}
	}
	return diagnosis{"redis", success, fmt.Sprintf("answers in %d µs", time.Since(begun).Microseconds()), ""}
}

// diagnoseDaemon finds out whether a daemon runs here and is ready.
func (a *app) diagnoseDaemon(ctx context.Context, cfg *config.Config) (running bool, d diagnosis) {
	conn, err := dialSocket(ctx, filepath.Join(cfg.Data, socketName))
	if err != nil {
		return false, diagnosis{"daemon", warning, "none runs on " + cfg.Data, "usherd serve --data " + cfg.Data}
	}
	if err := conn.Close(); err != nil {
		return true, diagnosis{"daemon", warning, err.Error(), ""}
	}
	if err := a.readyAt(ctx, "http://"+reachable(opsAddress(cfg))+"/readyz"); err != nil {
		return true, diagnosis{"daemon", failure, err.Error(), "ask its operations listener: /readyz?verbose"}
	}
	return true, diagnosis{"daemon", success, "runs and is ready", ""}
}

// diagnoseTaken asks the daemon of this machine whether what is configured is in
// force.
func diagnoseTaken(ctx context.Context, c *client) []diagnosis {
	var said struct {
		Fault string `json:"configuration_fault"`
	}
	text, err := c.call(ctx, http.MethodGet, "/daemon", nil)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	switch {
	case err != nil:
		return []diagnosis{{"configuration in force", warning, err.Error(), "see the daemon's log"}}
	case said.Fault != "":
		return []diagnosis{notTaken(said.Fault)}
	}
	return nil
}

// notTaken says that the daemon goes on with what it had.
func notTaken(fault string) diagnosis {
	return diagnosis{"configuration in force", failure, fault, "mend it; until then the last one that was valid serves on"}
}

// diagnoseStore asks what the store holds that an administrator should see to.
func (a *app) diagnoseStore(ctx context.Context, c *client) []diagnosis {
	var list []diagnosis
	ask := func(what, path string, into any) bool {
		text, err := c.call(ctx, http.MethodGet, path, nil)
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			list = append(list, diagnosis{what, failure, err.Error(), "see the daemon's log"})
		}
		return err == nil
	}
	var audited admin.Verification
	if ask("audit chain", "/api/v1/audit/verify", &audited) {
		list = append(list, diagnoseAudit(audited))
	}
	var tokens struct{ Items []admin.ListedToken }
	if ask("tokens", "/api/v1/tokens", &tokens) {
		list = append(list, diagnoseTokens(tokens.Items)...)
	}
	var sources struct{ Items []admin.ListedSource }
	if ask("sources", "/api/v1/sources", &sources) {
		list = append(list, diagnoseSources(sources.Items, tokens.Items)...)
	}
	var runs struct{ Items []admin.SyncStatus }
	if ask("synchronisation", "/api/v1/sync?"+url.Values{"runs": {"2"}}.Encode(), &runs) {
		list = append(list, diagnoseRuns(runs.Items)...)
	}
	return list
}

func diagnoseAudit(v admin.Verification) diagnosis {
	if !v.OK {
		return diagnosis{"audit chain", failure, fmt.Sprintf("broken at %d: %s", v.BrokenAt, v.Detail), "somebody altered the database: compare with a backup"}
	}
	return diagnosis{"audit chain", success, fmt.Sprintf("%d records hold", v.Records), ""}
}

func diagnoseTokens(tokens []admin.ListedToken) []diagnosis {
	var list []diagnosis
	for _, t := range tokens {
		if d, due := diagnoseToken(t, time.Now()); due {
			list = append(list, d)
		}
	}
	if len(list) == 0 {
		list = append(list, diagnosis{"tokens", success, fmt.Sprintf("%d, none expires within 30 days", len(tokens)), ""})
	}
	return list
}

func diagnoseSources(sources []admin.ListedSource, tokens []admin.ListedToken) []diagnosis {
	var list []diagnosis
	for _, s := range sources {
		d := diagnosis{"source " + string(s.Name), success, fmt.Sprintf("%s, users: %d, groups: %d", s.State, s.Users, s.Groups), ""}
		active := 0
		for _, t := range tokens {
			if t.Source == s.Name && t.State == "active" {
				active++
			}
		}
		switch {
		case s.State == directory.SourcePaused:
			d.Result, d.Do = warning, "usherd source resume "+string(s.Name)
		case s.Kind == directory.KindSCIM && active == 0:
			d.Result, d.Detail = warning, "has no token that counts"
			d.Do = "usherd token create --kind scim --source " + string(s.Name)
		}
		list = append(list, d)
	}
	return list
}

// diagnoseRuns judges each source by its last run that tells. It takes a status
// of at least two runs.
func diagnoseRuns(status []admin.SyncStatus) []diagnosis {
	var list []diagnosis
	for _, s := range status {
		name := "sync " + string(s.Source)
		switch {
		case s.Held != "":
			list = append(list, diagnosis{name, warning, "a plan waits for approval", "usherd hold show " + string(s.Source)})
		case s.Last == nil:
			list = append(list, diagnosis{name, warning, "was never read", "usherd sync run " + string(s.Source)})
		case s.AllCancelled():
			list = append(list, diagnosis{name, warning, "was never read to the end: all runs were cancelled", "usherd sync run " + string(s.Source)})
		case s.Telling != nil && (s.Telling.Result == directory.RunFailed || s.Telling.Result == directory.RunIncomplete):
			list = append(list, diagnosis{name, warning, string(s.Telling.Result) + ": " + s.Telling.Message, "usherd source test " + string(s.Source)})
		default:
			list = append(list, diagnosis{name, success, string(cmp.Or(s.Telling, s.Last).Result), ""})
		}
	}
	return list
}
