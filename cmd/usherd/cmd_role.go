package main

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func (a *app) roleCommand() *cobra.Command {
	subs := []*cobra.Command{
		a.show("list", "List the Roles, built in and custom", "  usherd role list", cobra.NoArgs,
			"NAME=name TITLE=title BUILTIN=builtin SCOPE=scope GROUPS=groups USERS=users UPDATED=modified MANAGED_BY=managed_by",
			func([]string) string { return at("roles") }),
		a.show("show ROLE", "Show a Role, what gives it and who has it", "  usherd role show admin", cobra.ExactArgs(1),
			"NAME=name TITLE=title BUILTIN=builtin RIGHTS=rights PRIVILEGES=privileges GROUPS=groups USERS=users MAPPINGS=mappings UPDATED=modified NOTE=note",
			func(args []string) string { return at("roles", args[0]) }),
	}
	subs = append(subs, changing(
		a.roleWrite("create", http.MethodPost, "Create a custom Role", "  usherd role create releaser --right integrations.use_all --privilege 'record:*:read'"),
		a.roleWrite("edit", http.MethodPut, "Replace title, rights and privileges of a custom Role", "  usherd role edit releaser --right integrations.use_all --access part-list"),
		a.change("delete ROLE", "Delete a custom Role that nothing uses", "  usherd role delete releaser", cobra.ExactArgs(1),
			func(args []string) (string, string, any, error) {
				return http.MethodDelete, at("roles", args[0]), nil, nil
			}),
		a.change("default [ROLE]", "Name the Role that counts for whom no path gives one, or none", "  usherd role default viewer\n  usherd role default", cobra.MaximumNArgs(1),
			func(args []string) (string, string, any, error) {
				return http.MethodPut, at("default-role"), map[string]any{"role": strings.Join(args, "")}, nil
			}),
	)...)
	return parent("role", "List, create, edit and delete Roles", subs...)
}

func (a *app) roleWrite(verb, method, short, example string) *cobra.Command {
	g := &grantFlags{}
	var title string
	var rights []string
	cmd := a.change(verb+" ROLE", short, example, cobra.ExactArgs(1), func(args []string) (string, string, any, error) {
		r := admin.RoleSpec{Name: directory.RoleName(args[0]), Title: title, Access: g.access, Role: g.privileges, Output: g.outputs}
		for _, right := range rights {
			r.Rights = append(r.Rights, directory.Right(right))
		}
		for _, text := range g.integrations {
			key, level, ok := strings.Cut(text, "=")
			if !ok || key == "" {
				return "", "", nil, usage("--integration %q: write CONNECTION=LEVEL", text)
			}
			if r.Integration == nil {
				r.Integration = map[string]string{}
			}
			r.Integration[key] = level
		}
		path := at("roles")
		if method == http.MethodPut {
			path = at("roles", args[0])
		}
		return method, path, r, nil
	})
	f := cmd.Flags()
	f.StringVar(&title, "title", "", "what people call it")
	f.StringSliceVar(&rights, "right", nil, "a right, e.g. directory.read")
	f.StringSliceVar(&g.access, "access", nil, "access to a feature")
	f.StringSliceVar(&g.privileges, "privilege", nil, "a privilege: FEATURE:ACTION or TYPE:ID:ACTION")
	f.StringSliceVar(&g.outputs, "output", nil, "an output (the format of the answer is -o here)")
	f.StringSliceVar(&g.integrations, "integration", nil, "a connection and its level: CONNECTION=none|viewer|consumer|admin")
	return cmd
}
