package main

import (
	"net/http"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/directory"
)

func (a *app) integrationCommand() *cobra.Command {
	var addTitle, title string
	add := a.change("add KEY", "Add a connection to the catalogue", "  usherd integration add aws-prod --title 'AWS production'", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodPost, at("integrations"), directory.Integration{Key: args[0], Title: addTitle}, nil
		})
	add.Flags().StringVar(&addTitle, "title", "", "what people call it")
	rename := a.change("rename KEY --title TITLE", "Change the title of a connection", "  usherd integration rename aws-prod --title 'AWS'", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodPut, at("integrations", args[0]), map[string]any{"title": title}, nil
		})
	rename.Flags().StringVar(&title, "title", "", "what people call it")
	set := a.change("set KEY MEMBER LEVEL", "Give a user or group a level on a connection: none, viewer, consumer or admin",
		"  usherd integration set aws-prod ann@example.com consumer\n  usherd integration set aws-prod group:okta/Engineering viewer", cobra.ExactArgs(3),
		func(args []string) (string, string, any, error) {
			level, err := directory.ParseLevel(args[2])
			if err != nil {
				return "", "", nil, usage("%w", err)
			}
			return http.MethodPut, at("integrations", args[0], "members"), map[string]any{"member": args[1], "level": level}, nil
		})
	end := func(verb, short string) *cobra.Command {
		return a.change(verb+" KEY MEMBER", short, "  usherd integration "+verb+" aws-prod ann@example.com", cobra.ExactArgs(2),
			func(args []string) (string, string, any, error) {
				return http.MethodPost, at("integrations", args[0], "members", verb), map[string]any{"member": args[1]}, nil
			})
	}
	remove := a.change("delete KEY", "Delete a connection that nothing uses", "  usherd integration delete aws-prod", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodDelete, at("integrations", args[0]), nil, nil
		})
	subs := []*cobra.Command{
		a.show("list", "List connections with your level on each", "  usherd integration list", cobra.NoArgs,
			"KEY=key TITLE=title MEMBERS=members LEVEL=mine MANAGED_BY=managed_by", func([]string) string { return at("integrations") }),
		a.show("members KEY", "List who has access to a connection, and by what", "  usherd integration members aws-prod", cobra.ExactArgs(1),
			"KIND=kind NAME=name LEVEL=own EFFECTIVE=effective VIA=via REMOVABLE=removable NOTE=note", func(args []string) string { return at("integrations", args[0], "members") }),
	}
	subs = append(subs, changing(
		set, end("reset", "Take back the level that was assigned; what comes from elsewhere stays"),
		end("remove", "Take all access of a user or group to a connection away"), add, rename, remove,
	)...)
	return parent("integration", "Connections of the catalogue, and who has access to them", subs...)
}
