package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

//go:embed demo/policy.yaml
var demoPolicy string

// byDemo is who does what an administrator would in the demo.
var byDemo = directory.Actor{Kind: "socket", Name: "demo"}

func (a *app) demoCommand() *cobra.Command {
	var once bool
	var dir, example string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole of it in a minute: push people, ask checks, take somebody out",
		Long: `Run a daemon, push a small organization through its own SCIM endpoint as an
identity provider does, apply a policy, ask checks and show how a removal takes
effect. It goes on serving until Ctrl-C, for you to repeat the printed commands.

With --example it shows one of the example policies instead, with people, groups
and questions of its own:

` + listExamples(),
		Example: "  usherd demo\n  usherd demo --once\n  usherd demo --example secrets\n  usherd demo --dir ./demo-data",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if example == "" {
				return a.demo(cmd.Context(), dir, once, (*demonstration).first)
			}
			shown, err := readExample(example)
			if err != nil {
				return err
			}
			return a.demo(cmd.Context(), dir, once, shown.chapters)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "exit afterwards, with 0 only if every answer was the expected one; on free ports")
	cmd.Flags().StringVar(&example, "example", "", "show an example: "+strings.Join(exampleNames(), ", "))
	cmd.Flags().StringVar(&dir, "dir", "", "keep the data in this `folder` (default: one that is removed afterwards)")
	return cmd
}

// demo runs a daemon and tells the story of which tell gives the chapters.
func (a *app) demo(ctx context.Context, dir string, once bool, tell func(*demonstration) []chapter) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "usherd-demo-"); err != nil {
			return fmt.Errorf("making a folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	d, err := a.embedded(ctx, embedding{dir: dir, fixedPorts: !once})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	go a.obey(ctx, stop, d)
	select {
	case <-d.ready:
	case err := <-ended:
		return err
	}
	show := &demonstration{daemon: d, out: a.stdout}
	if err := show.run(ctx, tell(show)); err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	verdict := show.verdict()
	if !once {
		show.repeat(ctx, dir)
		<-ctx.Done()
	}
	stop()
	return errors.Join(verdict, <-ended)
}

// An embedding says how a daemon inside a command is to run.
type embedding struct {
	dir        string
	fixedPorts bool // the default ports, where they are free
	store      string
	decisions  bool // with a decision log that takes every one
}

// embedded makes a daemon that reads no configuration but what it is given.
func (a *app) embedded(ctx context.Context, e embedding) (*daemon, error) {
	cfg := &config.Config{Data: e.dir, Listen: "127.0.0.1:0", OpsListen: "127.0.0.1:0"}
	cfg.Store.URL = e.store
	if e.fixedPorts {
		cfg.Listen, cfg.OpsListen = freeOr(ctx, "127.0.0.1:8080"), freeOr(ctx, "127.0.0.1:9090")
	}
	cfg.Log.Level, cfg.Log.Format = "error", "console"
	if e.decisions {
		cfg.DecisionLog.To, cfg.DecisionLog.AllowsOneIn = config.DecisionsToFile, 1
	}
	cfg.SetDefaults()
	level := zap.NewAtomicLevel()
	d, err := newDaemon(ctx, a, cfg, level, newLog(cfg.Log, level))
	if err == nil {
		d.embedded = true
	}
	return d, err
}

// freeOr is the address if nobody listens there, else one with a free port.
func freeOr(ctx context.Context, addr string) string {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	if err := l.Close(); err != nil {
		return "127.0.0.1:0"
	}
	return addr
}

// A demonstration is the story that the demo tells.
type demonstration struct {
	daemon *daemon
	out    io.Writer
	source directory.SourceName
	scim   *caller // the identity provider
	app    *caller // an application that asks checks
	ids    map[string]string
	try    []demoCheck // questions to repeat
	wrong  int
	asked  int
}

func (s *demonstration) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// A chapter is one step of a story.
type chapter func(context.Context) error

// first is the story without an example: connect, push, apply, ask, take
// somebody out.
func (s *demonstration) first() []chapter {
	s.source = "okta"
	s.try = []demoCheck{{"ann@example.com", "approve", "feature", "drawing", "alpha", true}}
	return []chapter{s.connect, s.push, s.apply, s.ask, s.remove, s.block}
}

// run tells the story.
func (s *demonstration) run(ctx context.Context, chapters []chapter) error {
	s.ids = map[string]string{}
	for _, chapter := range chapters {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

// connect makes the source, its token, and the token of an application.
func (s *demonstration) connect(ctx context.Context) error {
	src, err := s.daemon.service.AddSource(ctx, byDemo, admin.NewSource{Name: s.source, Kind: directory.KindSCIM})
	if err != nil {
		return fmt.Errorf("adding the source: %w", err)
	}
	tok, err := s.daemon.service.CreateToken(ctx, byDemo, admin.NewToken{Kind: directory.TokenCheck, Name: "shop"})
	if err != nil {
		return fmt.Errorf("making a check token: %w", err)
	}
	s.scim = &caller{base: src.URL, token: src.Token, media: "application/scim+json"}
	s.app = &caller{base: s.daemon.url, token: tok.Token, media: "application/json"}
	s.say("1. A SCIM source and a token for an application")
	s.say("   %-43s → %s", "usherd source add "+string(s.source)+" --kind scim", src.URL)
	s.say("   usherd token create --kind check --name shop → %s…", tok.Token[:16])
	return nil
}

// apply makes the embedded policy the policy.
func (s *demonstration) apply(ctx context.Context) error {
	return s.applyFile(ctx, "policy.yaml", demoPolicy)
}

func (s *demonstration) applyFile(ctx context.Context, name, text string) error {
	done, err := s.daemon.service.ApplyPolicy(ctx, byDemo, admin.PolicyFile{Name: name, Text: text})
	if err != nil {
		return fmt.Errorf("applying the policy: %w", err)
	}
	s.say("\n3. The policy maps groups to privileges; its own tests run first")
	s.say("   %-43s → revision %d", "usherd policy apply "+name, done.Revision)
	return nil
}

// verdict fails if an answer was not the expected one.
func (s *demonstration) verdict() error {
	if s.wrong > 0 {
		return fmt.Errorf("%d of %d answers were not the expected ones", s.wrong, s.asked)
	}
	s.say("\nAll %d answers were the expected ones.", s.asked)
	return nil
}
