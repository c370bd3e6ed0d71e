package directory

import "context"

// A Newcomer is somebody whom a source is about to deliver, or, with ID, an
// identity of it that is about to take another userName.
type Newcomer struct {
	ID         UserID // of the identity; empty for a new one
	ExternalID string
	UserName   string
}

// A Claim is what the directory knows of a newcomer. The zero Claim is nothing:
// the newcomer becomes a new user.
type Claim struct {
	// Holder is the living identity of another user that has the userName, of
	// another source if there is such a one.
	Holder       UserID
	HolderSource SourceName
	HolderUser   UserID

	Revives UserID // the deleted identity that speaks again; see [CreateUser]
	User    UserID // whom that identity belongs to, else whom [LinkUser] named
}

// A Claimer tells beforehand what becomes of newcomers.
type Claimer interface {
	// Claims returns one claim for each newcomer of a source, in their order.
	Claims(ctx context.Context, source SourceName, newcomers ...Newcomer) ([]Claim, error)
}
