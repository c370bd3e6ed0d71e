package admin

import (
	"cmp"
	"context"

	"github.com/usherd/usherd/directory"
)

// whom names an actor for people, as the end of "by …". A user who is gone for
// good, or of whom nothing can be read now, stays an id.
func (s *Service) whom(ctx context.Context, by directory.Actor) string {
	switch by.Kind {
	case directory.ActorUser:
		if u, err := s.Store.User(ctx, directory.UserID(by.Name)); err == nil {
			name, _ := nameOf(u)
			return cmp.Or(name, by.Name)
		}
	case directory.ActorSocket:
		return "somebody on the command line"
	case directory.ActorToken:
		return "the token " + by.Name
	case directory.ActorSystem:
		return "the daemon itself"
	}
	return cmp.Or(by.Name, by.Kind)
}

// namedActor is an actor of whom the name alone was kept, as overrides do. That
// of a signed-in user is an id.
func namedActor(name string) directory.Actor {
	if directory.IsID(name) {
		return directory.Actor{Kind: directory.ActorUser, Name: name}
	}
	return directory.Actor{Name: name}
}
