package directory

import (
	"encoding/json"
	"slices"
	"strings"
)

// Withheld are the attributes of users that a source wants shown to nobody, or to
// nobody who does not ask for them by name: what its extension schemas say is
// returned never or on request, or can be written alone (RFC 7643, section 7).
// Neither is a column of a list nor on the page of a user. The zero Withheld, as
// of a source that is gone with its schemas, withholds every extension but the
// enterprise one, and hides all from lists.
type Withheld struct {
	known bool                          // what it withholds
	local bool                          // it has no extension of its own
	paths map[string]withheldAttributes // by URN in lower case
	names map[string]bool               // in lower case
}

// withheldAttributes has the parts that are withheld of attributes, all in lower
// case. One of which no part is named is withheld as a whole.
type withheldAttributes map[string][]string

// A schemaAttribute is what is read of the definition of an attribute.
type schemaAttribute struct {
	Name       string            `json:"name"`
	Mutability string            `json:"mutability"`
	Returned   string            `json:"returned"`
	Sub        []schemaAttribute `json:"subAttributes"`
}

// WithheldBy returns what a source withholds: by its settings, which withhold as
// much as if it were gone if they can't be read. [Local] withholds the extensions
// of those whom it took over from a source that is gone.
func WithheldBy(src *Source) Withheld {
	if src.Kind == KindLocal {
		return Withheld{known: true, local: true}
	}
	var set struct {
		Schemas []struct {
			ID           string            `json:"id"`
			ResourceType string            `json:"resourceType"`
			Attributes   []schemaAttribute `json:"attributes"`
		} `json:"schemas"`
	}
	if len(src.Settings) > 0 && json.Unmarshal(src.Settings, &set) != nil {
		return Withheld{}
	}
	w := Withheld{known: true}
	for _, s := range set.Schemas {
		if s.ResourceType == "" || s.ResourceType == "User" {
			w.add(strings.ToLower(s.ID), s.Attributes)
		}
	}
	return w
}

func (w *Withheld) add(urn string, attributes []schemaAttribute) {
	for _, a := range attributes {
		var parts []string
		for _, sub := range a.Sub {
			if sub.withheld() {
				parts = append(parts, strings.ToLower(sub.Name))
			}
		}
		whole := a.withheld() || len(parts) > 0 && len(parts) == len(a.Sub)
		if !whole && len(parts) == 0 {
			continue
		}
		if w.paths == nil {
			w.paths, w.names = map[string]withheldAttributes{}, map[string]bool{}
		}
		if w.paths[urn] == nil {
			w.paths[urn] = withheldAttributes{}
		}
		name := strings.ToLower(a.Name)
		if w.names[name] = w.names[name] || whole; whole {
			parts = nil
		} else if before, twice := w.paths[urn][name]; twice {
			if parts = append(parts, before...); before == nil {
				parts = nil
			}
		}
		w.paths[urn][name] = parts
	}
}

func (a *schemaAttribute) withheld() bool {
	return a.Returned == "never" || a.Returned == "request" || a.Mutability == "writeOnly"
}

// Hides reports whether no list may show an attribute of that name, one of
// [AttributeNames]. These don't tell which schema an attribute is of: one that any
// schema of the source withholds is withheld in all.
func (w Withheld) Hides(name string) bool { return !w.known || w.names[strings.ToLower(name)] }

// Cut returns attributes, as in a [Profile], without what is withheld.
func (w Withheld) Cut(attributes json.RawMessage) json.RawMessage {
	foreign := !w.known || w.local
	if !foreign && len(w.paths) == 0 {
		return attributes
	}
	return edited(attributes, func(all map[string]json.RawMessage) {
		for key, raw := range all {
			urn := strings.ToLower(key)
			if foreign && strings.Contains(urn, ":") && urn != enterpriseSchema {
				delete(all, key)
			} else if of := w.paths[urn]; of != nil {
				if all[key] = edited(raw, of.cut); string(all[key]) == "{}" {
					delete(all, key)
				}
			}
		}
	})
}

// enterpriseSchema is the extension of RFC 7643, section 4.3, in lower case.
const enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"

func (of withheldAttributes) cut(extension map[string]json.RawMessage) {
	for key, raw := range extension {
		parts, found := of[strings.ToLower(key)]
		switch {
		case found && parts == nil:
			delete(extension, key)
		case found:
			extension[key] = cutParts(raw, parts)
		}
	}
}

// cutParts takes parts out of a value, or of each of several.
func cutParts(raw json.RawMessage, parts []string) json.RawMessage {
	var several []json.RawMessage
	if json.Unmarshal(raw, &several) == nil {
		for i := range several {
			several[i] = cutParts(several[i], parts)
		}
		return encoded(several)
	}
	return edited(raw, func(value map[string]json.RawMessage) {
		for key := range value {
			if slices.Contains(parts, strings.ToLower(key)) {
				delete(value, key)
			}
		}
	})
}

// edited returns an object as edit leaves it; what is none has nothing to leave
// out.
func edited(raw json.RawMessage, edit func(map[string]json.RawMessage)) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		return raw
	}
	edit(object)
	return encoded(object)
}

// encoded never fails: all that is in v was decoded from JSON.
func encoded(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}
