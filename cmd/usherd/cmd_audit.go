package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/audit"
)

func (a *app) auditCommand() *cobra.Command {
	return parent("audit", "Read the audit records and verify their chain", a.auditList(), a.auditVerify(), a.auditReindex(), a.auditCheckpoint(), a.auditExport())
}

// auditFilters are the flags that select records.
func (a *app) auditFilters(cmd *cobra.Command, q url.Values) {
	for _, f := range [][2]string{
		{"after", "only records after this revision"},
		{"actor", "who did it: a kind (socket, user, admin, scim, ldap), a name, a source, or the id of a token"},
		{"action", "how the type of a change begins, e.g. user or user.block"},
		{"target", "id, key or name of something that changed"},
		{"since", "at this time or later, e.g. 2026-01-31T00:00:00Z"},
		{"until", "before this time"},
	} {
		a.queryFlag(cmd, q, f[0], f[1])
	}
}

func (a *app) auditList() *cobra.Command {
	q := url.Values{}
	cmd := &cobra.Command{
		Use: "list", Short: "List the audit records, the oldest first", Args: cobra.NoArgs,
		Example: "  usherd audit list --after 120 --limit 50 -o json\n  usherd audit list --actor okta --action user --since 2026-01-31T00:00:00Z",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd.Context(), question{
				http.MethodGet, "/api/v1/audit?" + q.Encode(), nil,
				"REVISION=revision TIME=time KIND=actor.kind ACTOR=actor.name ADDRESS=actor.address REASON=actor.reason CHANGES=changes", false,
			})
		},
	}
	a.auditFilters(cmd, q)
	a.queryFlag(cmd, q, "limit", "at most so many (default 100, at most 1000)")
	a.queryFlag(cmd, q, "cursor", "go on after the page whose next_cursor this is")
	return cmd
}

func (a *app) auditVerify() *cobra.Command {
	var checkpoint string
	cmd := &cobra.Command{
		Use: "verify", Short: "Prove that no audit record was altered, removed or moved", Args: cobra.NoArgs,
		Long: `Prove that no audit record was altered, removed or moved, and that records are
listed and found by what they say. Whoever can write the whole database can
write the whole chain anew, or cut off its end: that shows only against a
checkpoint which was kept elsewhere (usherd audit checkpoint).`,
		Example: "  usherd audit verify\n  usherd audit verify --checkpoint /mnt/elsewhere/audit.txt\n  usherd audit verify --checkpoint 120:6be1…",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := "/api/v1/audit/verify"
			if checkpoint != "" {
				kept, err := readCheckpoint(checkpoint)
				if err != nil {
					return usage("--checkpoint: %w", err)
				}
				path += fmt.Sprintf("?revision=%d&hash=%v", kept.Seq, kept.Hash)
			}
			text, err := a.answer(cmd.Context(), question{http.MethodGet, path, nil, "", false})
			if err != nil {
				return err
			}
			if err := a.print(text, columns("OK=ok FROM=from RECORDS=records HASH=hash CHECKPOINT=checkpoint BROKEN=broken_at DETAIL=detail")); err != nil {
				return err
			}
			return notOK(text, errors.New("the audit trail is not as it was written"))
		},
	}
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "a `file` or text that usherd audit checkpoint printed, as JSON or not")
	return cmd
}

// maxFileName is longer than any name of a file: what is as long is text.
const maxFileName = 4096

// readCheckpoint reads REVISION:HASH or the same as JSON, or the last of them in
// a file.
func readCheckpoint(text string) (audit.Point, error) {
	if name := text; len(name) < maxFileName && !strings.HasPrefix(strings.TrimSpace(name), "{") {
		file, err := os.ReadFile(name)
		switch {
		case err == nil:
			text = string(file)
		case !errors.Is(err, fs.ErrNotExist):
			return audit.Point{}, err
		}
	}
	text = strings.TrimSpace(text)
	if strings.HasSuffix(text, "}") {
		var point struct {
			Checkpoint string `json:"checkpoint"`
		}
		if err := json.Unmarshal([]byte(text[max(0, strings.LastIndex(text, "{")):]), &point); err != nil || point.Checkpoint == "" {
			return audit.Point{}, errors.New("the JSON is not what usherd audit checkpoint prints")
		}
		text = point.Checkpoint
	}
	text = text[strings.LastIndex(text, "\n")+1:]
	var p audit.Point
	number, hash, ok := strings.Cut(strings.TrimSpace(text), ":")
	if _, err := fmt.Sscanf(number+" ", "%d ", &p.Seq); err != nil || !ok || p.Seq < 1 {
		return p, fmt.Errorf("%q is no file, and not REVISION:HASH", text)
	}
	var err error
	p.Hash, err = audit.ParseHash(hash)
	return p, err
}

func (a *app) auditCheckpoint() *cobra.Command {
	return &cobra.Command{
		Use: "checkpoint", Short: "Print the end of the audit chain, to be kept elsewhere", Args: cobra.NoArgs,
		Example: "  usherd audit checkpoint >> /mnt/elsewhere/audit.txt",
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := a.answer(cmd.Context(), question{http.MethodGet, "/api/v1/audit/checkpoint", nil, "", false})
			if err != nil || a.format != "table" {
				if err == nil {
					err = a.print(text, columns("REVISION=revision HASH=hash TIME=time"))
				}
				return err
			}
			var point struct {
				Checkpoint string `json:"checkpoint"`
			}
			if err := json.Unmarshal(text, &point); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			_, err = fmt.Fprintln(a.stdout, point.Checkpoint)
			return err
		},
	}
}

func (a *app) auditExport() *cobra.Command {
	q := url.Values{}
	form := "jsonl"
	cmd := &cobra.Command{
		Use: "export", Short: "Print all audit records that match, as JSON lines or CSV", Args: cobra.NoArgs,
		Example: "  usherd audit export --as jsonl > audit.jsonl\n  usherd audit export --as csv --since 2026-01-01T00:00:00Z",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f := cmd.Flags().Lookup("format"); f != nil && f.Changed { // the answer's format is what is exported
				form = a.format
			}
			if form != "jsonl" && form != "csv" {
				return usage("--format %q is not one of jsonl, csv", form)
			}
			return a.exportAudit(cmd, q, form)
		},
	}
	a.auditFilters(cmd, q)
	cmd.Flags().StringVar(&form, "as", form, "jsonl or csv; --format means the same")
	return cmd
}

// exportAudit writes page after page, so that no answer is too large.
func (a *app) exportAudit(cmd *cobra.Command, q url.Values, form string) (err error) {
	c, err := a.connect(cmd.Context(), false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	out := bufio.NewWriter(a.stdout)
	cols := columns("REVISION=revision TIME=time KIND=actor.kind ACTOR=actor.name SOURCE=actor.source TOKEN=actor.token REQUEST=actor.request ADDRESS=actor.address REASON=actor.reason CHANGES=changes HASH=hash")
	first := true
	err = c.eachPage(cmd.Context(), "/api/v1/audit", q, func(text []byte, items []json.RawMessage) error {
		if form == "csv" {
			defer func() { first = false }()
			return writeCSV(out, text, cols, first)
		}
		for _, row := range items {
			fmt.Fprintf(out, "%s\n", row)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return out.Flush()
}
