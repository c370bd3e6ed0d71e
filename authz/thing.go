package authz

import "maps"

// A thing is an action on one id of a type that the catalogue declares. Ids are
// not in the catalogue, so things are numbered as grants name them.
type thing struct {
	verb uint32
	id   string
}

// things numbers things. The recent layer keeps an update from copying the
// whole.
type things struct {
	base, recent map[thing]privID
	next         privID
}

// find is 0 for a thing that no grant names.
func (t *things) find(k thing) privID {
	if len(t.recent) > 0 {
		if id, ok := t.recent[k]; ok {
			return id
		}
	}
	return t.base[k]
}

// all calls f for every thing that a grant names.
func (t *things) all(f func(thing, privID)) {
	for k, id := range t.base {
		f(k, id)
	}
	for k, id := range t.recent {
		f(k, id)
	}
}

func (t *things) edit() *thingsEdit { return &thingsEdit{things: *t} }

// thingsEdit adds things to a copy.
type thingsEdit struct {
	things
	own bool // recent is not shared
}

func (e *thingsEdit) number(k thing) privID {
	if id := e.find(k); id != 0 {
		return id
	}
	if !e.own {
		e.recent, e.own = maps.Clone(e.recent), true
		if e.recent == nil {
			e.recent = map[thing]privID{}
		}
	}
	id := e.next
	e.next++
	e.recent[k] = id
	return id
}

// settle ends the edit. A recent layer that has grown is joined to the base.
func (e *thingsEdit) settle() things {
	const most = 512
	if len(e.recent) > most {
		base := make(map[thing]privID, len(e.base)+len(e.recent))
		maps.Copy(base, e.base)
		maps.Copy(base, e.recent)
		e.base, e.recent = base, nil
	}
	return e.things
}
