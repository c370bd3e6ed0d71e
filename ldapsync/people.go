package ldapsync

import (
	"cmp"
	"encoding/hex"
	"slices"

	"github.com/usherd/usherd/directory"
)

// people plans what happens to users: those who left first, for their access
// ends, then everybody who is there.
func (d *differ) people() error {
	names, err := d.names()
	if err != nil {
		return err
	}
	if !d.want.partial {
		d.plan.next.Contested = names.contested()
		if err := d.leavers(names); err != nil {
			return err
		}
	}
	for i := range int32(d.want.people.len()) {
		if err := d.person(i, names); err != nil {
			return err
		}
	}
	d.count("users.read", d.want.people.len())
	return nil
}

// person plans what happens to somebody who is there. One who cannot be taken
// over under the name the directory gives keeps the old name; all else, and
// above all being disabled, is taken over.
func (d *differ) person(i int32, names nameOwners) error {
	row := d.want.people.at(i)
	refused := row.reject || names.of(row.name) != i || d.claims[i].why != ""
	if refused {
		if err := d.refuse(i); err != nil {
			return err
		}
	}
	if row.known != nowhere {
		d.knownPerson(i, row, refused)
		return nil
	}
	if refused {
		return nil
	}
	id := d.claims[i].revives
	if id == (key{}) {
		var err error
		if id, err = d.mint(); err != nil {
			return err
		}
	}
	row.minted = d.plan.minted.add(id)
	d.addPerson(personItem{op: codeOf(OpCreate), at: i, known: nowhere})
	return nil
}

func (d *differ) refuse(i int32) error {
	p, err := d.want.person(i)
	why := cmp.Or(p.Rejected, d.claims[i].why, "its userName is also that of another entry")
	d.issue(Issue{ExternalID: p.Profile.ExternalID, Kind: KindUser, Name: cmp.Or(p.Profile.UserName, p.Profile.DN), Attribute: "userName", What: why})
	return err
}

func (d *differ) knownPerson(i int32, row *personRow, keepName bool) {
	k, fields := d.have.people.at(row.known), row.changed
	if keepName {
		fields &^= changedUserName
	}
	op := OpUpdate
	switch {
	case k.gone:
		op = OpRestore
	case fields == 0:
		return
	case k.active && !row.active:
		op = OpDisable
	case !k.active && row.active:
		op = OpEnable
	}
	d.addPerson(personItem{op: codeOf(op), at: i, known: row.known, changed: fields, keepName: keepName})
}

// leavers plans what happens to those who are missing from the read.
func (d *differ) leavers(names nameOwners) error {
	for i, there := range d.want.seen {
		if there {
			continue
		}
		row := int32(i)
		k, err := d.have.known(row)
		if err != nil {
			return err
		}
		m := d.missing(d.have.Cursor.MissingPeople, k.ExternalID)
		item := personItem{at: nowhere, known: row}
		switch {
		case d.heir(names, k.UserName):
			// an account made again, or renamed: whoever has the name now gets nothing of the old
			item.op, item.changed = codeOf(OpDelete), changedUserName
			d.addPerson(item)
			continue
		case !d.have.people.at(row).gone:
			item.op = codeOf(OpGone)
			d.addPerson(item)
		case d.Retention.over(m, d.Now):
			item.op = codeOf(OpDelete)
			d.addPerson(item)
			continue
		}
		d.plan.next.MissingPeople[k.ExternalID] = m
	}
	return nil
}

// nameOwners says which entry of a read may have a userName.
type nameOwners struct {
	index index         // the first with each name
	many  map[key]int32 // names of several entries: who has it, or ambiguous
}

// names settles who has which userName. Of several entries with one name, the
// one that has it already keeps it; if none has, none gets it: neither wins by
// chance.
func (d *differ) names() (nameOwners, error) {
	owners := nameOwners{newIndex(func(i int32) key { return d.want.people.at(i).name }), map[key]int32{}}
	for i := range int32(d.want.people.len()) {
		name := d.want.people.at(i).name
		if name == (key{}) {
			continue
		}
		first := owners.index.add(i)
		if first == nowhere {
			continue
		}
		if _, settled := owners.many[name]; !settled {
			holds, err := d.holds(first, name)
			if err != nil {
				return owners, err
			}
			owners.many[name] = ambiguous
			if holds {
				owners.many[name] = first
			}
		}
		holds, err := d.holds(i, name)
		if err != nil {
			return owners, err
		}
		if holds {
			owners.many[name] = i
		}
	}
	return owners, nil
}

// holds reports whether the store gives this userName to this person.
func (d *differ) holds(i int32, name key) (bool, error) {
	row := d.want.people.at(i).known
	if row == nowhere {
		return false, nil
	}
	k, err := d.have.known(row)
	return err == nil && nameKey(k.UserName) == name, err
}

// nameKey stands for a userName as names are compared; it is zero for one that
// cannot be used.
func nameKey(name string) key {
	k, err := directory.KeyOf(name)
	if err != nil {
		return key{}
	}
	return keyOfText(string(k))
}

func (n nameOwners) of(name key) int32 {
	if name == (key{}) {
		return ambiguous
	}
	if owner, shared := n.many[name]; shared {
		return owner
	}
	return n.index.find(name)
}

// heir reports whether somebody of the read is to have this name, and can.
func (d *differ) heir(names nameOwners, name string) bool {
	owner := names.of(nameKey(name))
	return owner >= 0 && !d.want.people.at(owner).reject && d.claims[owner].why == ""
}

// contested lists the userNames of several entries that none of them has.
func (n nameOwners) contested() []string {
	var names []string
	for name, owner := range n.many {
		if owner == ambiguous {
			names = append(names, hex.EncodeToString(name[:]))
		}
	}
	slices.Sort(names)
	return names
}
