package authzen

import (
	"context"
	"strings"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// An Evaluator answers queries. It is what the handler needs of the rest of
// the daemon.
type Evaluator interface {
	// Evaluate answers all queries as of one single revision, one that contains
	// atLeast; the zero stamp requires nothing. It fills answers, which is as
	// long as queries and zero. An answer's Err concerns that answer alone.
	//
	// The error means that there is no answer at all: it wraps
	// [directory.ErrHistoryLost] if the store knows that atLeast belongs to
	// another history, and has a method RetryAfter() time.Duration if asking
	// again may help.
	Evaluate(ctx context.Context, atLeast directory.Stamp, queries []Query, answers []Answer) (Point, error)
}

// A Query asks for one decision.
type Query struct {
	// Subject is who is asked about. The zero key leads to nobody: it stands for
	// a name that nobody can have, or for an unknown type of subject.
	Subject directory.SubjectKey
	Request authz.Request
	Explain bool // Path is wanted
}

// An Answer is what one query led to. The zero Answer denies.
type Answer struct {
	Decision authz.Decision
	User     directory.UserID // whom the subject led to; empty if to nobody, or to several
	Path     []string         // of the paths that allow, the winning one, for people; only if Explain
	Err      error            // there is no decision
}

// A Point is the revision that answers are of, and how old they may be.
type Point struct {
	Stamp directory.Stamp
	Age   time.Duration
}

// query translates a complete evaluation.
func (e *evaluation) query() Query {
	return Query{
		Subject: subjectKey(e.subject.typ, e.subject.id),
		Request: authz.Request{
			SubjectType: e.subject.typ,
			Action:      e.action.id,
			Type:        e.resource.typ,
			ID:          e.resource.id,
			Project:     directory.ProjectKey(e.resource.project),
			AlsoProject: directory.ProjectKey(e.context.project),
		},
		Explain: e.context.reason,
	}
}

// SubjectKey returns the key under which a check looks a subject up, for other
// bindings of the same questions. It is the zero key if nobody can be named so.
func SubjectKey(typ, id string) directory.SubjectKey { return subjectKey(typ, id) }

// subjectKey returns the key under which a subject is looked up, the zero key
// if nobody can be named so. An id in the form of a UUID is only ever one of
// ours.
func subjectKey(typ, id string) directory.SubjectKey {
	switch typ {
	case authz.SubjectUser, authz.SubjectService:
		if directory.IsID(id) {
			return directory.SubjectKey{Kind: directory.KeyID, Value: strings.ToLower(id)}
		}
		return named(directory.KeyUserName, id)
	case authz.SubjectEmail:
		return named(directory.KeyEmail, id)
	case authz.SubjectExternal:
		source, external, ok := strings.Cut(id, "/")
		if ok && source != "" && external != "" {
			return directory.SubjectKey{Kind: directory.KeyExternal, Source: directory.SourceName(source), Value: external}
		}
	}
	return directory.SubjectKey{}
}

func named(kind directory.KeyKind, name string) directory.SubjectKey {
	if plain(name) {
		return directory.SubjectKey{Kind: kind, Value: name}
	}
	key, err := directory.KeyOf(name)
	if err != nil {
		return directory.SubjectKey{}
	}
	return directory.SubjectKey{Kind: kind, Value: string(key)}
}

// plain reports whether name is its own canonical key, as most are that are
// asked for. Folding changes none of these characters.
func plain(name string) bool {
	if name == "" || len(name) > directory.MaxName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}
