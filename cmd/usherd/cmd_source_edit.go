package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
)

func sourcePath(name string) string { return "/api/v1/sources/" + url.PathEscape(name) }

func (a *app) sourceShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a source: settings, tokens, and how its provider uses it", Example: "  usherd source show okta", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.answer(cmd.Context(), question{http.MethodGet, sourcePath(args[0]), nil, "", false})
			if err != nil {
				return err
			}
			err = a.print(text, columns("NAME=name KIND=kind STATE=state PROFILE=profile USERS=users GROUPS=groups URL=url SETTINGS=settings "+
				"REQUESTS=usage.requests FAILED=usage.failed LAST_REQUEST=usage.last AGENT=usage.agent MANAGED_BY=managed_by"))
			if err != nil || a.format != "table" {
				return err
			}
			return a.printUsage(text)
		},
	}
}

// printUsage prints the lists of a source below its attributes.
func (a *app) printUsage(text []byte) error {
	var page admin.SourcePage
	if err := json.Unmarshal(text, &page); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	for _, t := range page.Tokens {
		used := "never used"
		if !t.LastUsed.IsZero() {
			used = "last used " + t.LastUsed.UTC().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(w, "token %s\texpires %s\t%s\n", t.ID, t.Expires.UTC().Format("2006-01-02"), used)
	}
	if u := page.Usage; u != nil {
		for _, q := range sortedTallies(u.Quirks) {
			fmt.Fprintf(w, "quirk %s\t%d times\tlast %s\n", q, u.Quirks[q].Count, u.Quirks[q].Last.UTC().Format("2006-01-02 15:04"))
		}
	}
	return w.Flush()
}

// sortedTallies names what was counted, the most frequent first.
func sortedTallies(all map[string]admin.Tally) []string {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := all[b].Count - all[a].Count; d != 0 {
			return int(max(min(d, 1), -1))
		}
		return strings.Compare(a, b)
	})
	return names
}

func (a *app) sourceSet() *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME KEY=VALUE…",
		Short: "Alter settings of a source",
		Long: `Alter settings of a source. A value is JSON, or else text; @FILE reads JSON from
a file, but for @every 15m, @hourly and the like, which are schedules; nothing
after the = takes the setting away. A dot leads into an object.

Of a scim source: profile, link (with, by, domains) and schemas, a list of
extension schemas in the form of RFC 7643, section 7. Of an ldap source: what
usherd source add takes.`,
		Example: `  usherd source set okta profile=okta
  usherd source set okta link.with='["corp-ad"]' link.by=email link.domains='["corp.example"]'
  usherd source set okta schemas=@schemas.json
  usherd source set okta link=
  usherd source set corp schedule='@every 15m'`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.close()) }()
			text, err := c.call(cmd.Context(), http.MethodGet, sourcePath(args[0]), nil)
			if err != nil {
				return err
			}
			var page admin.SourcePage
			if err := json.Unmarshal(text, &page); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			change, err := settingsChange(page.Settings, args[1:])
			if err != nil {
				return err
			}
			text, err = c.call(cmd.Context(), http.MethodPatch, sourcePath(args[0]), map[string]any{"settings": change})
			if err != nil {
				return err
			}
			return a.print(text, columns(outcomeColumns))
		},
	}
}

// settingsChange makes the change of settings that assignments ask for.
func settingsChange(settings json.RawMessage, assignments []string) (map[string]any, error) {
	have, change := map[string]any{}, map[string]any{}
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &have); err != nil {
			return nil, fmt.Errorf("reading settings: %w", err)
		}
	}
	for _, text := range assignments {
		path, value, ok := strings.Cut(text, "=")
		key, rest, nested := strings.Cut(path, ".")
		if !ok || key == "" || nested && rest == "" {
			return nil, usage("write KEY=VALUE, not %q", text)
		}
		v, err := settingValue(value)
		if err != nil {
			return nil, err
		}
		if nested {
			obj, _ := have[key].(map[string]any)
			if obj == nil {
				obj = map[string]any{}
			}
			if obj[rest] = v; v == nil {
				delete(obj, rest)
			}
			v = obj
		}
		have[key], change[key] = v, v
	}
	return change, nil
}

// isDescriptor tells the descriptors of a schedule, such as @every 15m, from the
// names of files. A file of such a name is ./every.
func isDescriptor(text string) bool {
	word, _, _ := strings.Cut(text, " ")
	return slices.Contains([]string{"@every", "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}, word)
}

func settingValue(text string) (any, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // takes the setting away
	}
	if file, ok := strings.CutPrefix(text, "@"); ok && !isDescriptor(text) {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, usage("%w", err)
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, usage("%s: %w", file, err)
		}
		return v, nil
	}
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		return v, nil
	}
	return text, nil
}
