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
	names        paged[*thing] // the way back
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

// name is the way back from a number; nil for one that is not of a thing.
func (e *thingsEdit) name(id privID) *thing {
	if e.own {
		return e.names.get(uint32(id))
	}
	return e.things.names.get(uint32(id))
}

func (t *things) edit() *thingsEdit { return &thingsEdit{things: *t} }

// thingsEdit adds things to a copy.
type thingsEdit struct {
	things
	own   bool // recent and names are not shared
	names *pagedEdit[*thing]
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
		e.names = e.things.names.edit()
	}
	id := e.next
	e.next++
	e.recent[k] = id
	e.names.set(uint32(id), &k)
	return id
}

// settle ends the edit. A recent layer that has grown is joined to the base.
func (e *thingsEdit) settle() things {
	if e.own {
		e.things.names = e.names.paged
	}
	const most = 512
	if len(e.recent) > most {
		base := make(map[thing]privID, len(e.base)+len(e.recent))
		maps.Copy(base, e.base)
		maps.Copy(base, e.recent)
		e.base, e.recent = base, nil
	}
	return e.things
}
