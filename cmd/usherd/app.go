package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/config"
)

// An app is one run of the command line: its streams, its flags, and what a
// command needs to find the daemon.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	signals        chan os.Signal

	configPath string
	values     map[string]string // flags that are keys of the configuration
	server     string
	token      string
	tokenFile  string
	reason     string
	format     string
	plain      bool // no colours
}

// run parses the arguments, runs the command and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	a.values = map[string]string{}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if strings.HasPrefix(err.Error(), "required flag(s)") { // cobra has no type for it
		err = usage("%w", err)
	}
	if msg := err.Error(); msg != "" {
		fmt.Fprintln(a.stderr, "usherd: "+msg)
	}
	code := exitCode(err)
	if code == exitUsage {
		fmt.Fprintf(a.stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "usherd",
		Short: "Keeps users, groups and what they may do in step with your directories",
		Long: `usherd takes users and groups from identity providers (SCIM) and directories
(LDAP), maps groups to privileges, and answers permission checks.

Every command acts on the daemon whose data folder is --data; if none runs
there, on the store itself; with --server, on a daemon elsewhere.`,
		Example: `  usherd serve
  usherd source add okta --kind scim
  usherd policy apply policy.yaml
  usherd check alice@example.com access feature/part-list`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	a.persistentFlags(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%w", err) })
	root.AddCommand(
		a.serveCommand(), a.loginCommand(), a.demoCommand(), a.checkCommand(), a.explainCommand(),
		a.policyCommand(), a.sourceCommand(), a.tokenCommand(),
		a.userCommand(), a.groupCommand(), a.roleCommand(), a.projectCommand(), a.integrationCommand(), a.catalogueCommand(),
		a.exportCommand(), a.importCommand(), a.overrideCommand(), a.mappingCommand(),
		a.syncCommand(), a.holdCommand(), a.auditCommand(),
		a.configCommand(), a.migrateCommand(), a.backupCommand(), a.restoreCommand(), a.doctorCommand(), a.supportCommand(), a.healthcheckCommand(),
		a.webhookCommand(), a.jobCommand(), a.benchCommand(), a.manCommand(), a.versionCommand(),
	)
	a.addQuestions(root)
	usageErrors(root)
	a.completions(root)
	return root
}

func (a *app) persistentFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.configPath, "config", "", "configuration `file`")
	f.Var(a.key("data"), "data", "data `folder` of the daemon")
	f.Var(a.key("store"), "store", "database `url`: sqlite or postgres://…")
	f.StringVar(&a.server, "server", a.getenv("USHERD_SERVER"), "`url` of a daemon elsewhere")
	f.StringVar(&a.token, "token", "", "admin `token` for --server (or $USHERD_TOKEN)")
	f.StringVar(&a.tokenFile, "token-file", a.getenv("USHERD_TOKEN_FILE"), "`file` with the admin token for --server")
	f.StringVar(&a.reason, "reason", "", "`text` for the audit record")
	f.StringVarP(&a.format, "format", "o", "table", "`format` of the answer: table, json, yaml or csv")
	// --output too, where it does not mean the output that is granted.
	f.StringVar(&a.format, "output", "table", "same as --format")
	_ = f.MarkHidden("output") // it is there
	f.BoolVar(&a.plain, "no-color", false, "print without bold titles, as with $NO_COLOR")
}

func (a *app) getenv(name string) string {
	for _, kv := range a.environ {
		if key, value, _ := strings.Cut(kv, "="); key == name {
			return value
		}
	}
	return ""
}

// key is a flag that sets a key of the configuration. It wins over the file and
// the environment only if it is given.
func (a *app) key(name string) *keyFlag { return &keyFlag{a, name, "string"} }

// A keyFlag is the pflag.Value of a key of the configuration.
type keyFlag struct {
	app  *app
	name string
	typ  string
}

func (k *keyFlag) String() string {
	if k.app == nil {
		return ""
	}
	return k.app.values[k.name]
}

func (k *keyFlag) Set(text string) error {
	k.app.values[k.name] = text
	return nil
}

func (k *keyFlag) Type() string { return k.typ }

// IsBoolFlag lets --flag alone mean true.
func (k *keyFlag) IsBoolFlag() bool { return k.typ == "bool" }

// load reads the configuration that files, variables and flags make.
func (a *app) load() (*config.Config, error) {
	cfg, err := config.Load(config.LoadOptions{Path: a.configPath, Flags: a.values, Environ: a.environ})
	if err != nil {
		return nil, err
	}
	if faults := routeFaults(cfg); len(faults) > 0 {
		return nil, faults
	}
	return cfg, nil
}

// usageErrors makes what cobra says of arguments a usage error, and a group of
// commands called with a wrong one too.
func usageErrors(cmd *cobra.Command) {
	if args := cmd.Args; args != nil {
		cmd.Args = func(c *cobra.Command, given []string) error {
			if err := args(c, given); err != nil {
				return usage("%w", err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		usageErrors(sub)
	}
}

// parent is a command that only groups others.
func parent(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			msg := fmt.Sprintf("no such command: %s %s", cmd.CommandPath(), args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				msg += "; did you mean " + near[0] + "?"
			}
			return errors.New(msg)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.Help(); err != nil {
				return err
			}
			return usage("%s needs a command", cmd.CommandPath())
		},
	}
	var examples []string
	for _, sub := range subs {
		if line, _, _ := strings.Cut(sub.Example, "\n"); line != "" {
			examples = append(examples, line)
		}
	}
	cmd.Example = strings.Join(examples, "\n")
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(subs...)
	return cmd
}
