package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// An AttributeUse is an attribute that sources deliver besides what every list of
// users shows, and how many users have it.
type AttributeUse struct {
	Name  string `json:"name"`
	Users int    `json:"users"`
}

// maxAttributes is how many attributes are offered as columns of a list, and how
// many one list may be asked for.
const maxAttributes = 50

// Attributes lists the attributes that users have of whom the asker may know, the
// most common first, at most 50: see [directory.AttributeNames]. What the schema
// of its source does not return is not among them. Deleted users don't count.
func (s *Service) Attributes(ctx context.Context) ([]AttributeUse, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return nil, err
	}
	all, err := s.attributesFor(ctx, a)
	return all[:min(len(all), maxAttributes)], err
}

// attributesFor are all of them, for the census or for what the asker sees of it.
func (s *Service) attributesFor(ctx context.Context, a *Authority) ([]AttributeUse, error) {
	c, err := s.census(ctx, a.view)
	if err != nil {
		return nil, err
	}
	if all, _ := a.Projects(ReadDirectory); all {
		return c.attributes(), nil
	}
	tests, err := s.pathTests(ctx, a, UserFilter{})
	if err != nil {
		return nil, err
	}
	return countAttributes(c.everybody, c.kinds, withheldBy(a.view), func(p *person) bool {
		return !slices.ContainsFunc(tests, func(test func(*person) bool) bool { return !test(p) })
	}), nil
}

// A withheld is what sources withhold, by name. Of one that is not there it is
// the zero value.
type withheld map[directory.SourceName]directory.Withheld

// withheldBy reads what the sources of a view withhold.
func withheldBy(view *authz.Snapshot) withheld {
	sources := view.Policy().Sources
	out := make(withheld, len(sources))
	for i := range sources {
		out[sources[i].Name] = directory.WithheldBy(&sources[i])
	}
	return out
}

// cut leaves out of identities what is shown to nobody.
func (w withheld) cut(identities []directory.Identity) {
	for i := range identities {
		id := &identities[i]
		id.Attributes = w[id.Source].Cut(id.Attributes)
	}
}

// countAttributes counts who has what, of those who pass a test, without what is
// withheld. Few different sets of attributes are had by many: these are counted.
func countAttributes(everybody []ordered, kinds []attributeKind, hidden withheld, counts func(*person) bool) []AttributeUse {
	of := make([]int, len(kinds))
	for _, p := range everybody {
		if p.row.Deleted.IsZero() && counts(p.person) {
			of[p.kind]++
		}
	}
	users := map[string]int{}
	for kind, n := range of {
		if n == 0 {
			continue
		}
		for _, name := range kinds[kind].shown(hidden) {
			users[name] += n
		}
	}
	out := make([]AttributeUse, 0, len(users))
	for name, n := range users {
		out = append(out, AttributeUse{name, n})
	}
	slices.SortFunc(out, func(a, b AttributeUse) int {
		return cmp.Or(cmp.Compare(b.Users, a.Users), strings.Compare(a.Name, b.Name))
	})
	return out
}

// An attributeKind is what each of somebody's sources says of them.
type attributeKind []sourceAttributes

type sourceAttributes struct {
	source directory.SourceName
	names  []string // see [directory.AttributeNames]
}

// shown are the names without those that their source withholds.
func (k attributeKind) shown(hidden withheld) (names []string) {
	for _, said := range k {
		for _, name := range said.names {
			if !hidden[said.source].Hides(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// attributeKinds are the kinds that there are: who has the same attributes of the
// same sources has the same number. What is known of a number never changes.
type attributeKinds struct {
	all    []attributeKind
	number map[string]int
}

// of returns the number of the kind of somebody: what any of their sources says,
// but one that deleted them.
func (k *attributeKinds) of(row *directory.PersonRow) int {
	var key strings.Builder
	for i := range row.Identities {
		if id := &row.Identities[i]; id.Presence != directory.Deleted {
			key.WriteString(string(id.Source))
			for _, name := range id.Attributes {
				key.WriteByte(0)
				key.WriteString(name)
			}
			key.WriteByte('\n')
		}
	}
	n, known := k.number[key.String()]
	if !known {
		n = len(k.all)
		k.number[key.String()], k.all = n, append(k.all, kindOf(row))
	}
	shared := k.all[n] // not a list of each
	for i := range row.Identities {
		if id := &row.Identities[i]; id.Presence != directory.Deleted {
			id.Attributes, shared = shared[0].names, shared[1:]
		}
	}
	return n
}

func kindOf(row *directory.PersonRow) (kind attributeKind) {
	for i := range row.Identities {
		if id := &row.Identities[i]; id.Presence != directory.Deleted {
			kind = append(kind, sourceAttributes{id.Source, id.Attributes})
		}
	}
	return kind
}

// knownAttributes refuses names of attributes that nobody has: a column that is
// misspelt would look as if it were empty.
func (s *Service) knownAttributes(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return err
	}
	all, err := s.attributesFor(ctx, a)
	if err != nil {
		return err
	}
	known := make([]string, len(all))
	for i, use := range all {
		known[i] = use.Name
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return badParameter("attributes", "nobody has an attribute %q%s", name[:min(len(name), maxQuoted)], didYouMean(name, known))
		}
	}
	return nil
}

// addAttributes fills in what sources say of the users of a page. Of several
// sources the first one that says something counts, as they are ranked.
func (s *Service) addAttributes(ctx context.Context, a *Authority, people []*person, rows []ListedUser, names []string) error {
	if len(names) == 0 || len(people) == 0 {
		return nil
	}
	var ids []directory.UserID
	sources := map[directory.UserID]directory.SourceName{}
	for _, p := range people {
		for i := range p.row.Identities {
			id := &p.row.Identities[i]
			ids, sources[id.ID] = append(ids, id.ID), id.Source
		}
	}
	said, err := s.Store.Attributes(ctx, ids...)
	if err != nil {
		return err
	}
	hidden := withheldBy(a.view)
	listed := make(map[directory.UserID]directory.Attributes, len(said))
	for id, text := range said {
		listed[id] = directory.ListedAttributes(hidden[sources[id]].Cut(text))
	}
	for i, p := range people {
		rows[i].Attributes = map[string]string{}
		for _, name := range names {
			if text := p.attribute(name, listed); text != "" {
				rows[i].Attributes[name] = text
			}
		}
	}
	return nil
}

// maxAttributeText is how many letters of a value a list shows.
const maxAttributeText = 500

// attribute is what the first source says that says something. What a source said
// that deleted somebody counts only if all did.
func (p *person) attribute(name string, said map[directory.UserID]directory.Attributes) string {
	for _, gone := range []bool{false, true} {
		for i := range p.row.Identities {
			id := &p.row.Identities[i]
			if (id.Presence == directory.Deleted) != gone || gone && p.row.Deleted.IsZero() {
				continue
			}
			if text := said[id.ID].Text(name); text != "" {
				return string([]rune(text)[:min(len([]rune(text)), maxAttributeText)])
			}
		}
	}
	return ""
}

func (a *API) listAttributes(c call) (answer, error) {
	return listOf(a.Service.Attributes(c.Context()))
}
