package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/admin"
)

func (a *app) exportCommand() *cobra.Command {
	return parent("export", "Write users or groups to a file, as CSV, JSON or YAML",
		a.exportList("users", "Export all users that match", "  usherd export users -o csv > users.csv\n  usherd export users --role admin -o json",
			"USERNAME=userName NAME=displayName E-MAIL=email COMPANY=company TYPE=type STATUS=status GROUPS=groups SOURCES=sources EXTERNAL_ID=externalId LAST_LOGIN=lastLogin CREATED=created ID=id", userListFlags),
		a.exportList("groups", "Export all groups that match", "  usherd export groups -o csv > groups.csv",
			"SOURCE=source NAME=name DESCRIPTION=description STATUS=status PROJECT=project MEMBERS=memberCount ROLES=roles MAPPINGS=mappings UPDATED=modified ID=id", groupListFlags))
}

// exportList writes all pages of a list as one.
func (a *app) exportList(kind, short, example, cols string, flags [][2]string) *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: kind, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.everyPage(cmd.Context(), at(kind), q, cols) },
	}
	for _, f := range flags {
		a.queryFlag(cmd, q, f[0], f[1])
	}
	return cmd
}

func (a *app) importCommand() *cobra.Command {
	return parent("import", "Make local users from a file", a.importUsers())
}

func (a *app) importUsers() *cobra.Command {
	var template, dry bool
	cmd := &cobra.Command{
		Use: "users FILE.csv", Short: "Make a local user of each line of a CSV file",
		Long: `Make a local user of each line of a CSV file. The first line names the columns:
userName, name, email, company, type (standard or service) and groups (local
groups, separated by semicolons). One line that fails stops no other; --dry-run
says what would happen and makes nobody.`,
		Example: "  usherd import users --template > people.csv\n  usherd import users people.csv --dry-run\n  usherd import users people.csv",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if template {
				_, err := io.WriteString(a.stdout, admin.UserTemplate())
				return err
			}
			if len(args) != 1 {
				return usage("name the file, or - for standard input; --template shows its form")
			}
			text, err := a.readFile(args[0])
			if err != nil {
				return err
			}
			people, err := admin.ReadUsers(args[0], text)
			if err != nil {
				return &exitError{exitInvalid, err}
			}
			return a.makePeople(cmd, people, dry)
		},
	}
	cmd.Flags().BoolVar(&template, "template", false, "print a file to fill in")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would happen, and make nobody")
	return cmd
}

// An imported is what came of one line of a file.
type imported struct {
	Line     int    `json:"line"`
	UserName string `json:"userName"`
	Result   string `json:"result"` // made, would be made, or failed
	Note     string `json:"note,omitempty"`
}

// makePeople makes a user of each line and prints what came of it.
func (a *app) makePeople(cmd *cobra.Command, people []admin.UserLine, dry bool) (err error) {
	if err := a.checkFormat(); err != nil {
		return err
	}
	c, err := a.connect(cmd.Context(), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	out, failed := []imported{}, 0
	for _, n := range people {
		line := imported{Line: n.Line, UserName: n.UserName, Result: "made"}
		if dry {
			line.Result = "would be made"
		}
		text, err := c.call(cmd.Context(), http.MethodPost, tried(cmd, at("users")), n.NewUser)
		if p, refused := errors.AsType[*admin.Problem](err); refused {
			line.Result, line.Note = "failed", p.Error()
			failed++
		} else if err != nil {
			return err
		} else if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		out = append(out, line)
	}
	text, err := json.Marshal(map[string]any{"items": out})
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	if err := a.print(text, columns("LINE=line USERNAME=userName RESULT=result NOTE=note")); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d lines failed", failed, len(people))
	}
	return nil
}
