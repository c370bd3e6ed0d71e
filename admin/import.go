package admin

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// UserColumns are what the first line of a CSV file of users may name.
var UserColumns = []string{"userName", "name", "email", "company", "type", "groups"}

// UserTemplate is a CSV file of users to fill in.
func UserTemplate() string {
	return strings.Join(UserColumns, ",") + "\nann@example.com,Ann Smith,ann@example.com,Example Ltd,standard,local/Planners\n"
}

// A UserLine is one user of a CSV file.
type UserLine struct {
	NewUser
	Line int // where it begins; the first is 1
}

// maxUserLines is how many users one file makes.
const maxUserLines = 10_000

// ReadUsers reads a CSV file of users. The first line names the columns; groups
// are separated by semicolons. Errors name the file and the line.
func ReadUsers(name, text string) ([]UserLine, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	head, err := r.Read()
	if err != nil {
		return nil, invalid("%s: the first line must name the columns: %s", name, strings.Join(UserColumns, ", "))
	}
	for i, title := range head {
		at := slices.IndexFunc(UserColumns, func(c string) bool { return strings.EqualFold(strings.TrimSpace(title), c) })
		if at < 0 {
			return nil, invalid("%s:1: unknown column %q; there are %s", name, title, strings.Join(UserColumns, ", "))
		}
		head[i] = UserColumns[at]
	}
	var lines []UserLine
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, invalid("%s: %v", name, err)
		}
		if len(lines) == maxUserLines {
			return nil, invalid("%s: more than %d users: divide it", name, maxUserLines)
		}
		at, _ := r.FieldPos(0)
		lines = append(lines, UserLine{userOfRow(head, row), at})
	}
}

func userOfRow(head, row []string) NewUser {
	var n NewUser
	for i, value := range row {
		value = strings.TrimSpace(strings.TrimPrefix(value, "'")) // as exports write what looks like a formula
		switch head[i] {
		case "userName":
			n.UserName = value
		case "name":
			n.Name = value
		case "email":
			n.Email = value
		case "company":
			n.Company = value
		case "type":
			n.Type = directory.UserType(strings.ToLower(value))
		case "groups":
			for g := range strings.SplitSeq(value, ";") {
				if g = strings.TrimSpace(g); g != "" {
					n.Groups = append(n.Groups, g)
				}
			}
		}
	}
	return n
}

// StartImport makes the local users of a file, as a job. A line that fails stops
// no other.
func (s *Service) StartImport(ctx context.Context, by directory.Actor, lines []UserLine) (Job, error) {
	if _, err := s.allowed(ctx, by, WriteUsers, ""); err != nil {
		return Job{}, err
	}
	return s.startJob(ctx, by, "import", "", len(lines), func(ctx context.Context, by directory.Actor, each func(BulkItem)) (BulkResult, error) {
		return s.importUsers(ctx, by, lines, each)
	})
}

// PreviewImport says which lines would fail and what the others would lead to.
func (s *Service) PreviewImport(ctx context.Context, by directory.Actor, lines []UserLine) (BulkPreview, error) {
	if _, err := s.allowed(ctx, by, WriteUsers, ""); err != nil {
		return BulkPreview{}, err
	}
	return s.previewMany(ctx, func(ctx context.Context, quick *Service) (BulkResult, error) {
		return quick.importUsers(ctx, by, lines, nil)
	})
}

func (s *Service) importUsers(ctx context.Context, by directory.Actor, lines []UserLine, each func(BulkItem)) (BulkResult, error) {
	out := BulkResult{Items: make([]BulkItem, 0, len(lines))}
	seen := map[string]int{}
	for _, line := range lines {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		done, err := s.importUser(context.WithoutCancel(ctx), by, line, seen)
		out.add(BulkItem{Name: fmt.Sprintf("line %d: %s", line.Line, line.label())}, done, err, each)
	}
	return out, nil
}

// label is what a line calls its user.
func (l UserLine) label() string {
	for _, text := range []string{l.UserName, l.Email, l.Name} {
		if text != "" {
			return text
		}
	}
	return "(no name)"
}

// importUser makes the user of one line. A preview performs nothing, so that
// names that are taken are looked for here.
func (s *Service) importUser(ctx context.Context, by directory.Actor, line UserLine, seen map[string]int) (Outcome, error) {
	profile, err := line.profile()
	if err != nil {
		return Outcome{}, err
	}
	key, err := directory.KeyOf(profile.UserName)
	if err != nil {
		return Outcome{}, fmt.Errorf("userName: %w", err)
	}
	if at, again := seen[string(key)]; again {
		return Outcome{}, fmt.Errorf("%w: the userName is that of line %d", directory.ErrExists, at)
	}
	seen[string(key)] = line.Line
	sub, err := s.Store.Subject(ctx, directory.SubjectKey{Kind: directory.KeyUserName, Value: string(key)}, directory.Stamp{})
	if err != nil {
		return Outcome{}, fmt.Errorf("looking for the userName: %w", err)
	}
	if sub.Found != directory.Unknown {
		return Outcome{}, fmt.Errorf("%w: another user has the userName", directory.ErrExists)
	}
	made, err := s.CreateUser(ctx, by, line.NewUser)
	return made.Outcome, err
}
