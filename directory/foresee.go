package directory

import "context"

// A Foresight is what changes would lead to: how policy, groups and people
// would continue the history, of which nothing is kept.
type Foresight struct {
	Base    Stamp   // what the changes were tried on
	Stretch Stretch // from Base; its one record has a revision that nobody takes. None if nothing is altered
	Touched []UserID
	People  []Subject // as those of Touched who would live would be; both ascend by id
	Refused []error   // by changes that were left out, if that was asked for
}

// A Foreseer tells what changes would lead to.
type Foreseer interface {
	// Foresee performs changes as Apply does, reads what they lead to, and takes
	// them back. Conditions among the changes are ignored. The error is that of
	// Apply; if each is set, a change that is refused is left out and the rest
	// performed.
	Foresee(ctx context.Context, each bool, changes ...Change) (Foresight, error)
}
