package ldapsync

import (
	"github.com/usherd/usherd/directory"
)

// A Snapshot is all that a directory has for us, read completely. Only
// [Collect] makes one, and only with the proof that nothing was left out.
type Snapshot struct {
	Server string // URL it came from
	People []Person
	Groups []Group
	// Attributes counts, for each mapped attribute, the people who have it.
	Attributes map[string]int

	people peopleIndex
	groups map[dnKey][]int32
}

// A Group is one entry of the directory that stands for a group.
type Group struct {
	ID       string // stable
	DN       string
	Name     string
	Rejected string // why it cannot be taken over; see Person.Rejected

	sid     string
	urls    []string  // that select members, still to be searched
	unknown string    // why its members could not be evaluated; they stay as they are
	people  []int32   // members in Snapshot.People
	others  []foreign // member DNs that name nobody in Snapshot.People
}

// A foreign is a member that is no person of the snapshot: a nested group, a
// dangling DN, or something outside what is read.
type foreign struct {
	key dnKey
	dn  string
}

// A peopleIndex finds people by DN and uid. What two entries share finds
// neither: membership is never given by guessing. For DNs the spelling decides
// between such entries.
type peopleIndex struct {
	byDN  map[dnKey]int32
	byUID map[string]int32
	twins map[dnKey][]int32
}

const ambiguous = -1

func newPeopleIndex() peopleIndex {
	return peopleIndex{byDN: map[dnKey]int32{}, byUID: map[string]int32{}, twins: map[dnKey][]int32{}}
}

func (x *peopleIndex) add(at int32, key dnKey, uids []string) {
	if before, taken := x.byDN[key]; taken {
		if before != ambiguous {
			x.twins[key] = []int32{before}
		}
		x.twins[key] = append(x.twins[key], at)
		at = ambiguous
	}
	x.byDN[key] = at
	for _, uid := range uids {
		if _, taken := x.byUID[uid]; taken {
			x.byUID[uid] = ambiguous
			continue
		}
		x.byUID[uid] = at
	}
}

// personAt returns the person with a DN, given with its key. Between twins the
// spelling decides.
func (s *Snapshot) personAt(key dnKey, dn string) (int32, bool) {
	at, ok := s.people.byDN[key]
	if at != ambiguous {
		return at, ok
	}
	spelled := spellDN(dn)
	for _, twin := range s.people.twins[key] {
		if s.People[twin].Profile.DN == spelled {
			return twin, true
		}
	}
	return 0, false
}

// An edge leads from a group to a direct member in the same list of people or
// groups.
type edge struct {
	at    int32
	group bool // at counts groups, not people
	via   via
}

type via uint8

const (
	viaMember via = iota
	viaPrimary
)

func (v via) name() directory.Via {
	if v == viaPrimary {
		return directory.ViaPrimaryGroup
	}
	return directory.ViaMember
}
