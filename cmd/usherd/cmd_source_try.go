package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/scim/provider"
)

func (a *app) sourceTest() *cobra.Command {
	var as string
	cmd := &cobra.Command{
		Use:   "test NAME",
		Short: "Connect to an LDAP source and say what is found, or play an identity provider",
		Long: `Connect to an LDAP source and say what is found. Of a scim source, play what an
identity provider will do: its conversation is held with a sandbox, a source
with the same settings that is made for it and removed after it, over the
network as the provider would. Nobody real is touched.`,
		Example: "  usherd source test corp\n  usherd source test okta --as okta\n  usherd source test entra --as entra -o json", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if as != "" {
				return a.playProvider(cmd.Context(), args[0], as)
			}
			text, err := a.answer(cmd.Context(), question{http.MethodPost, sourcePath(args[0]) + "/test", nil, "", false})
			if err != nil {
				return err
			}
			if a.format == "table" {
				err = a.printProbe(text)
			} else {
				err = a.print(text, columns("OK=ok SERVER=server VENDOR=vendor PEOPLE=people INACTIVE=inactive GROUPS=groups "+
					"REJECTED=rejected UNRESOLVED=unresolved STEPS=steps"))
			}
			if err != nil {
				return err
			}
			return notOK(text, errors.New("the source can't be read as it is; the last step says why"))
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "scim: whom to play: "+strings.Join(provider.Names(), ", "))
	return cmd
}

// A played conversation.
type played struct {
	OK      bool            `json:"ok"`
	As      string          `json:"as"`
	Sandbox string          `json:"sandbox"`
	Steps   []provider.Step `json:"steps"`
}

// playProvider holds a conversation with a sandbox.
func (a *app) playProvider(ctx context.Context, name, as string) (err error) {
	if err := a.checkFormat(); err != nil {
		return err
	}
	c, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	made, err := c.makeSandbox(ctx, name)
	if err != nil {
		return err
	}
	defer func() {
		// Also when the command is interrupted.
		err = errors.Join(err, c.removeSandbox(context.WithoutCancel(ctx), string(made.Name)))
	}()
	out := played{As: as, Sandbox: string(made.Name)}
	out.OK, err = provider.Play(ctx, as, provider.Target{URL: made.URL, Token: made.Token}, func(s provider.Step) {
		out.Steps = append(out.Steps, s)
		if a.format == "table" {
			a.printStep(s)
		}
	})
	if err != nil {
		return usage("--as: %w", err)
	}
	if a.format != "table" {
		text, err := json.Marshal(out)
		if err == nil {
			err = a.print(text, columns("OK=ok AS=as STEPS=steps"))
		}
		if err != nil {
			return err
		}
	}
	if !out.OK {
		return fmt.Errorf("%s would not be content", as)
	}
	return nil
}

func (a *app) printStep(s provider.Step) {
	word := map[bool]string{true: "ok", false: "FAILED"}[s.OK]
	fmt.Fprintf(a.stdout, "%3d  %-6s  %-58s  %s %d  %s\n", s.Number, word, s.Name, s.Method, s.Status, s.Took.Round(100*time.Microsecond))
	if !s.OK {
		fmt.Fprintf(a.stdout, "     %s %s\n     %s\n     → %s\n", s.Method, s.Path, s.Detail, s.Do)
	}
}

// makeSandbox adds a source with the settings of another, but for linking.
func (c *client) makeSandbox(ctx context.Context, like string) (made admin.MadeSource, err error) {
	text, err := c.call(ctx, http.MethodGet, sourcePath(like), nil)
	if err != nil {
		return made, err
	}
	var page admin.SourcePage
	settings := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &page); err != nil {
		return made, fmt.Errorf("reading the answer: %w", err)
	}
	if page.Kind != "scim" {
		return made, usage("source %s is of kind %s: --as plays who pushes to a scim source", like, page.Kind)
	}
	if len(page.Settings) > 0 {
		if err := json.Unmarshal(page.Settings, &settings); err != nil {
			return made, fmt.Errorf("reading settings: %w", err)
		}
		delete(settings, "link")
	}
	name := "sandbox-" + like
	if len(name) > 63 {
		name = strings.TrimRight(name[:63], "-")
	}
	text, err = c.call(ctx, http.MethodPost, "/api/v1/sources", map[string]any{"name": name, "kind": "scim", "settings": settings})
	if p, ok := errors.AsType[*admin.Problem](err); ok && p.Code() == "exists" {
		return made, fmt.Errorf("a test of %s is under way, or one was cut off; then: usherd source disable %s; usherd source remove %s", like, name, name)
	}
	if err != nil {
		return made, err
	}
	if err := json.Unmarshal(text, &made); err != nil {
		return made, fmt.Errorf("reading the answer: %w", err)
	}
	return made, nil
}

// removeSandbox removes a sandbox with everybody in it.
func (c *client) removeSandbox(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if _, err := c.call(ctx, http.MethodPost, sourcePath(name)+"/state", map[string]any{"state": "disabled"}); err != nil {
		return fmt.Errorf("disabling the sandbox: %w", err)
	}
	if _, err := c.call(ctx, http.MethodDelete, sourcePath(name), nil); err != nil {
		return fmt.Errorf("removing the sandbox: %w", err)
	}
	return nil
}
