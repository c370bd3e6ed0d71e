package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completionWait is how long a shell waits for names at most.
const completionWait = 2 * time.Second

// A listing is where the names are that can stand for an argument.
type listing struct {
	path  string
	names func(beginning string) url.Values // the query; nil for all
	word  func(row map[string]any) string
	about string // member that a shell shows beside the word
}

// named takes the word from a member.
func named(name string) func(map[string]any) string {
	return func(row map[string]any) string { return cell(row, name) }
}

// listings are by the words that the usage of commands has for arguments.
var listings = map[string]listing{
	"USER": {
		"/api/v1/users", func(s string) url.Values { return url.Values{"name": {s}, "limit": {"100"}} },
		named("userName"), "displayName",
	},
	"SOURCE/NAME": {"/api/v1/groups", groupsLike, func(row map[string]any) string { return cell(row, "source") + "/" + cell(row, "name") }, "status"},
	"SOURCE":      {"/api/v1/sources", nil, named("name"), "kind"},
	"ROLE":        {"/api/v1/roles", nil, named("name"), "title"},
	"PROJECT":     {"/api/v1/projects", nil, named("key"), "title"},
	"MAPPING":     {"/api/v1/mappings", nil, named("name"), ""},
	"CONNECTION":  {"/api/v1/integrations", nil, named("key"), "title"},
	"TOKEN":       {"/api/v1/tokens", nil, named("id"), "name"},
	"JOB":         {"/api/v1/jobs", nil, named("id"), "do"},
	"WEBHOOK":     {"/api/v1/webhooks", nil, named("id"), "url"},
}

// groupsLike asks for the groups that okta/Pla may become.
func groupsLike(beginning string) url.Values {
	q := url.Values{"limit": {"100"}}
	source, name, whole := strings.Cut(beginning, "/")
	if whole {
		q.Set("source", source)
		q.Set("name", name)
	}
	return q
}

// choices are what flags take that have few values.
var choices = map[string][]string{
	"format": {"table", "json", "yaml", "csv"}, "template": {"openldap", "active-directory", "389ds"},
	"profile":   {"auto", "okta", "entra", "onelogin", "jumpcloud", "ping", "google", "generic"},
	"log-level": {"debug", "info", "warn", "error"}, "log-format": {"auto", "json", "console"},
}

// flagArguments are the flags whose value is a name.
var flagArguments = map[string]string{
	"source": "SOURCE", "group": "SOURCE/NAME", "role": "ROLE", "project": "PROJECT",
}

// completions has shells complete names as well as commands and flags.
func (a *app) completions(cmd *cobra.Command) {
	if words := argumentWords(cmd); len(words) > 0 && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = a.completeArgument(words)
	}
	for name, word := range flagArguments {
		if cmd.LocalNonPersistentFlags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, a.completeWord(word)) // an error says that it is there already
		}
	}
	for name, values := range choices {
		if cmd.LocalFlags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	for _, sub := range cmd.Commands() {
		a.completions(sub)
	}
}

// argumentWords are what the arguments of a command name, one after the other:
// the words of its usage, made plain by the command that it belongs to.
func argumentWords(cmd *cobra.Command) []string {
	fields := strings.Fields(cmd.Use)
	if len(fields) < 2 || !cmd.HasParent() {
		return nil
	}
	within := map[string]string{
		"source NAME": "SOURCE", "mapping NAME": "MAPPING", "integration KEY": "CONNECTION", "project KEY": "PROJECT",
		"token ID": "TOKEN", "job ID": "JOB", "webhook ID": "WEBHOOK",
	}
	makes := fields[0] == "add" || fields[0] == "create" // the name is new
	var words []string
	for _, field := range fields[1:] {
		if strings.HasPrefix(field, "-") || strings.HasPrefix(field, "(") {
			break
		}
		word := strings.TrimRight(strings.Trim(field, "[]"), ".…")
		if plain, ok := within[cmd.Parent().Name()+" "+word]; ok {
			word = plain
		}
		if makes {
			word = ""
		}
		words = append(words, word)
	}
	return words
}

// completeArgument completes the next argument of a command, with what the
// daemon, or the store, has. Files are completed where no list is known.
func (a *app) completeArgument(words []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, beginning string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(words) {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return a.completeWord(words[len(args)])(cmd, args, beginning)
	}
}

// completeWord completes a name of one kind.
func (a *app) completeWord(word string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, beginning string) ([]cobra.Completion, cobra.ShellCompDirective) {
		from, ok := listings[word]
		if !ok {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return a.completeFrom(cmd.Context(), from, beginning), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFrom lists the names that begin so. Without an answer in time there
// are none: a shell is no place for an error.
func (a *app) completeFrom(ctx context.Context, from listing, beginning string) []cobra.Completion {
	ctx, cancel := context.WithTimeout(ctx, completionWait)
	defer cancel()
	path := from.path
	if from.names != nil {
		path += "?" + from.names(beginning).Encode()
	}
	a.format = "json"
	text, err := a.answer(ctx, question{http.MethodGet, path, nil, "", false})
	if err != nil {
		return nil
	}
	return wordsFrom(from, text, beginning)
}

func wordsFrom(from listing, text json.RawMessage, beginning string) []cobra.Completion {
	list, err := rows(text)
	if err != nil {
		return nil
	}
	var found []cobra.Completion
	for _, row := range list {
		word := from.word(row)
		if word == "" || !printable(word) || strings.ContainsAny(word, "\n\t") || !strings.HasPrefix(strings.ToLower(word), strings.ToLower(beginning)) {
			continue
		}
		about := ""
		if from.about != "" {
			about = cut(cell(row, from.about), 40)
		}
		if about != "" {
			word = cobra.CompletionWithDesc(word, strings.Join(strings.Fields(about), " "))
		}
		found = append(found, word)
	}
	return found
}
