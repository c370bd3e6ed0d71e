package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func (a *app) mappingCommand() *cobra.Command {
	cmds := []*cobra.Command{
		a.mappingWrite("add", http.MethodPost, "Add a mapping", "  usherd mapping add engineers --source corp --group-name Engineering --access part-list"),
		a.mappingWrite("edit", http.MethodPut, "Replace what a mapping matches and grants", "  usherd mapping edit engineers --source corp --pattern 'eng-*' --role collaborator"),
		a.change("remove NAME", "Remove a mapping and what it grants", "  usherd mapping remove engineers", cobra.ExactArgs(1), func(args []string) (string, string, any, error) {
			return http.MethodDelete, at("mappings", args[0]), nil, nil
		}),
		a.mappingSwitch("enable", true, "Let a disabled mapping give again what it gave"),
		a.mappingSwitch("disable", false, "Let a mapping give nothing until it is enabled"),
	}
	return parent("mapping", "Look at mappings, edit them, confirm groups", append(changing(cmds...), a.mappingList(), a.mappingShow(), a.mappingConfirm())...)
}

// mappingSwitch enables or disables a mapping; --dry-run says first for whom.
func (a *app) mappingSwitch(verb string, enabled bool, short string) *cobra.Command {
	return a.change(verb+" NAME", short, "  usherd mapping "+verb+" engineers --dry-run", cobra.ExactArgs(1), func(args []string) (string, string, any, error) {
		return http.MethodPost, at("mappings", args[0], "state"), map[string]any{"enabled": enabled}, nil
	})
}

func (a *app) mappingList() *cobra.Command {
	return a.show("list", "List mappings and the groups they reach", "  usherd mapping list", cobra.NoArgs, "NAME=name SOURCE=when.source GROUPS=groups NOTE=note",
		func([]string) string { return at("mappings") })
}

func (a *app) mappingShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show one mapping with what it grants and the groups it reaches", Example: "  usherd mapping show engineers -o yaml", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.answer(cmd.Context(), question{method: http.MethodGet, path: at("mappings")})
			if err != nil {
				return err
			}
			one, err := itemNamed(text, "name", args[0])
			if err != nil {
				return err
			}
			if one == nil {
				return fmt.Errorf("%w: no mapping %s (usherd mapping list)", directory.ErrNotFound, args[0])
			}
			return a.print(one, columns("NAME=name SOURCE=when.source DN=when.dn ID=when.id GROUP_NAME=when.name PATTERN=when.pattern ALLOW_ADMIN=allowAdmin GRANTS=grants GROUPS=groups NOTE=note"))
		},
	}
}

func (a *app) mappingConfirm() *cobra.Command {
	return &cobra.Command{
		Use: "confirm MAPPING SOURCE/NAME", Short: "Let a mapping reach a group for which it waits", Args: cobra.ExactArgs(2),
		Example: "  usherd mapping confirm admins okta/Admins",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodPost, "/api/v1/mappings/" + url.PathEscape(args[0]) + "/confirm", map[string]any{"group": args[1]}, outcomeColumns, false,
			})
		},
	}
}

// mappingWrite adds or replaces a mapping, in the words of flags or of a file of
// grants.
func (a *app) mappingWrite(verb, method, short, example string) *cobra.Command {
	var when directory.Selector
	var source, file string
	var allow bool
	g := &grantFlags{}
	cmd := a.change(verb+" NAME", short, example+"\n  usherd mapping "+verb+" engineers --source corp --dn 'CN=Engineering,OU=Groups,DC=corp,DC=example' -f grants.yaml",
		cobra.ExactArgs(1), func(args []string) (string, string, any, error) {
			when.Source = directory.SourceName(source)
			if source == "" {
				return "", "", nil, usage("--source says whose groups: nothing matches across sources")
			}
			grants, err := a.mappingGrants(g, file)
			if err != nil {
				return "", "", nil, err
			}
			path := at("mappings")
			if method == http.MethodPut {
				path = at("mappings", args[0])
			}
			return method, path, admin.MappingSpec{Name: args[0], When: when, AllowAdmin: allow, Grant: grants}, nil
		})
	f := cmd.Flags()
	f.StringVar(&source, "source", "", "the source of the groups")
	f.StringVar(&when.DN, "dn", "", "the group with this DN")
	f.StringVar(&when.ID, "group-id", "", "the group with this id of the source")
	f.StringVar(&when.Name, "group-name", "", "the group with this name")
	f.StringVar(&when.Pattern, "pattern", "", "groups whose name is like this: * and ?")
	f.BoolVar(&allow, "allow-admin", false, "let it give an administration right")
	f.StringVarP(&file, "file", "f", "", "grants as YAML, - for stdin")
	g.register(cmd)
	return cmd
}

func (a *app) mappingGrants(g *grantFlags, file string) ([]admin.GrantSpec, error) {
	if file == "" {
		spec, err := g.spec(false)
		return []admin.GrantSpec{spec}, err
	}
	if _, err := g.spec(false); err == nil {
		return nil, usage("say what to grant by flags or by -f, not both")
	}
	text, err := a.readFile(file)
	if err != nil {
		return nil, err
	}
	grants, err := admin.ParseGrants(file, []byte(text))
	if err != nil {
		return nil, &exitError{exitInvalid, err}
	}
	return grants, nil
}

// itemNamed finds the item of a list whose member is text; nil if there is none.
func itemNamed(list []byte, member, text string) (json.RawMessage, error) {
	items, _ := listItems(list)
	var all []json.RawMessage
	if err := json.Unmarshal(items, &all); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	for _, one := range all {
		var row map[string]any
		if err := decodeNumbers(one, &row); err != nil {
			return nil, err
		}
		if row[member] == text {
			return one, nil
		}
	}
	return nil, nil
}
