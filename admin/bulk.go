package admin

import (
	"context"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// Bulk says what to do with many users or many groups. Each is done by itself:
// one that fails stops no other.
type Bulk struct {
	Do     string      `json:"do"`               // block, unblock, delete, assign, unassign, grant or revoke
	Users  []string    `json:"users,omitempty"`  // either these users
	Groups []string    `json:"groups,omitempty"` // or these groups
	Group  string      `json:"group,omitempty"`  // of assign and unassign: a local group
	Grants []GrantSpec `json:"grants,omitempty"` // of grant and revoke
	Force  bool        `json:"force,omitempty"`  // of delete: users of a source too
	Reason string      `json:"reason,omitempty"`
}

// A BulkItem is what came of one user or group.
type BulkItem struct {
	Name    string `json:"name"` // as it was named
	OK      bool   `json:"ok"`
	Changed bool   `json:"changed"`
	Error   string `json:"error,omitempty"`
	Code    string `json:"code,omitempty"` // of the problem
	Note    string `json:"note,omitempty"` // what to know of it; of a revert, what it does
}

// A BulkResult is what came of all.
type BulkResult struct {
	Items    []BulkItem         `json:"items"`
	Done     int                `json:"done"`
	Failed   int                `json:"failed"`
	Revision directory.Revision `json:"revision"` // the last one that was made; 0 if none was
	Stamp    string             `json:"stamp,omitempty"`
	// Preview is what all items together would lead to, of a bulk that was only
	// tried; NoOwner says that some would be refused, because nobody would own
	// the organization.
	Preview *authz.Difference `json:"preview,omitempty"`
	NoOwner bool              `json:"no_owner,omitempty"`
}

// maxBulk is how many users or groups one call takes.
const maxBulk = 10_000

var (
	bulkOnUsers  = []string{"block", "unblock", "delete", "assign", "unassign", "grant", "revoke"}
	bulkOnGroups = []string{"block", "unblock", "delete", "grant", "revoke"}
)

// RunBulk does something with many. each, if it is not nil, is told of every
// result as it comes; an ended ctx ends the rest.
func (s *Service) RunBulk(ctx context.Context, by directory.Actor, b Bulk, each func(BulkItem)) (BulkResult, error) {
	if err := b.check(); err != nil {
		return BulkResult{}, err
	}
	if err := s.mayTryBulk(ctx, by, b); err != nil {
		return BulkResult{}, err
	}
	if b.Reason != "" {
		by.Reason = b.Reason
	}
	do, names := s.bulkOnUser, b.Users
	if len(b.Groups) > 0 {
		do, names = s.bulkOnGroup, b.Groups
	}
	out := BulkResult{Items: make([]BulkItem, 0, len(names))}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		done, err := do(context.WithoutCancel(ctx), by, b, name) // whole or not at all
		out.add(BulkItem{Name: name}, done, err, each)
	}
	return out, nil
}

// mayTryBulk lets in who may do such a thing somewhere: what everybody may try
// would keep the daemon busy, and its results.
func (s *Service) mayTryBulk(ctx context.Context, by directory.Actor, b Bulk) error {
	a, err := s.authority(ctx, by)
	if err != nil {
		return err
	}
	action := WriteGrants
	switch on := len(b.Groups) > 0; {
	case b.Do == "assign" || b.Do == "unassign" || on && b.Do == "delete":
		action = WriteGroups
	case b.Do == "delete":
		action = WriteUsers
	case on && (b.Do == "block" || b.Do == "unblock"):
		action = BlockGroups
	case b.Do == "block" || b.Do == "unblock":
		action = BlockUsers
	}
	return a.requireAnywhere(action)
}

func (b Bulk) check() error {
	n, known := len(b.Users), bulkOnUsers
	if len(b.Groups) > 0 {
		n, known = len(b.Groups), bulkOnGroups
	}
	switch {
	case len(b.Users) > 0 && len(b.Groups) > 0:
		return invalid("name users or groups, not both")
	case n == 0 || n > maxBulk:
		return invalid("name from 1 to %d users or groups", maxBulk)
	case !slices.Contains(known, b.Do):
		return invalid("do %q is not one of %v", b.Do, known)
	case (b.Do == "assign" || b.Do == "unassign") != (b.Group != ""):
		return invalid("assign and unassign name a group, and nothing else does")
	case (b.Do == "grant" || b.Do == "revoke") != (len(b.Grants) > 0):
		return invalid("grant and revoke say what, and nothing else does")
	}
	return nil
}

func (s *Service) bulkOnUser(ctx context.Context, by directory.Actor, b Bulk, name string) (Outcome, error) {
	switch b.Do {
	case "block", "unblock":
		return s.SetBlock(ctx, by, name, b.Do == "block", b.Reason)
	case "delete":
		return s.DeleteUser(ctx, by, name, 0, b.Force)
	case "assign":
		return s.AddMembers(ctx, by, b.Group, []string{name})
	case "unassign":
		return s.RemoveMembers(ctx, by, b.Group, []string{name})
	}
	return bulkGrants(b, func(spec GrantSpec) (Outcome, error) {
		if b.Do == "revoke" {
			return s.RevokeFromUser(ctx, by, name, spec)
		}
		return s.GrantToUser(ctx, by, name, spec)
	})
}

func (s *Service) bulkOnGroup(ctx context.Context, by directory.Actor, b Bulk, name string) (Outcome, error) {
	switch b.Do {
	case "block":
		return s.SetGroupStatus(ctx, by, name, directory.GroupBlocked)
	case "unblock":
		return s.SetGroupStatus(ctx, by, name, directory.GroupActive)
	case "delete":
		return s.DeleteGroup(ctx, by, name, 0)
	}
	return bulkGrants(b, func(spec GrantSpec) (Outcome, error) {
		if b.Do == "revoke" {
			return s.RevokeFromGroup(ctx, by, name, spec)
		}
		return s.GrantToGroup(ctx, by, name, spec)
	})
}

// bulkGrants does one spec after the other, one for each scope.
func bulkGrants(b Bulk, do func(GrantSpec) (Outcome, error)) (all Outcome, err error) {
	for _, spec := range b.Grants {
		out, err := do(spec)
		if err != nil {
			return all, err
		}
		out.Changed = out.Changed || all.Changed
		all = out
	}
	return all, nil
}
