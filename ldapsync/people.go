package ldapsync

import (
	"github.com/usherd/usherd/directory"
)

// people plans what happens to users: those who left first, for their access
// ends, then everybody who is there.
func (d *differ) people() {
	names := d.names()
	d.leavers(names)
	d.userIDs = make([]string, len(d.want.People))
	for i := range d.want.People {
		p := d.want.People[i]
		why := p.Rejected
		if why == "" && names.of(p.Profile) != int32(i) {
			why = "its userName is also that of another entry"
		}
		if at, ok := d.knownUser[p.Profile.ExternalID]; ok {
			d.userIDs[i] = string(d.have.People[at].ID)
			d.knownPerson(d.have.People[at], p, why)
			continue
		}
		if why != "" {
			d.issue(p.Profile.ExternalID, why)
			continue
		}
		d.userIDs[i] = d.NewID()
		d.add(userItem(OpCreate, d.userIDs[i], p.Profile))
	}
	d.count("users.read", len(d.want.People))
}

func userItem(op Op, id string, p directory.Profile) Item {
	return Item{Op: op, Kind: KindUser, ID: id, ExternalID: p.ExternalID, Name: p.UserName, DN: p.DN, profile: p}
}

// knownPerson plans what happens to somebody whom the store has. One who cannot
// be taken over under the name the directory gives keeps the old name; all
// else, and above all being disabled, is taken over.
func (d *differ) knownPerson(k Known, person Person, why string) {
	p := person.Profile
	if why != "" {
		d.issue(p.ExternalID, why)
		p.UserName = k.UserName
	}
	var fields []string
	if !person.same {
		fields = k.changed(p)
	}
	op := OpUpdate
	switch {
	case k.Presence == directory.Gone:
		op = OpRestore
	case len(fields) == 0:
		return
	case k.Active && !p.Active:
		op = OpDisable
	case !k.Active && p.Active:
		op = OpEnable
	}
	item := userItem(op, string(k.ID), p)
	item.Fields, item.present = fields, len(fields) == 0
	d.add(item)
}

// leavers plans what happens to those who are missing from the read.
func (d *differ) leavers(names nameOwners) {
	there := make(map[string]bool, len(d.want.People))
	for i := range d.want.People {
		there[d.want.People[i].Profile.ExternalID] = true
	}
	for _, k := range d.have.People {
		if there[k.ExternalID] {
			continue
		}
		m := d.missing(d.have.Cursor.MissingPeople, k.ExternalID)
		item := Item{Kind: KindUser, ID: string(k.ID), ExternalID: k.ExternalID, Name: k.UserName, DN: k.DN}
		switch {
		case names.wanted(k.UserName):
			// an account made again, or renamed: whoever has the name now gets nothing of the old
			item.Op, item.Fields = OpDelete, []string{"userName"}
			d.add(item)
			continue
		case k.Presence == directory.Present:
			item.Op = OpGone
			d.add(item)
		case d.Retention.over(m, d.Now):
			item.Op = OpDelete
			d.add(item)
			continue
		}
		d.plan.next.MissingPeople[k.ExternalID] = m
	}
}

// nameOwners says which entry of a read may have a userName.
type nameOwners map[directory.NameKey]int32

// names settles who has which userName. Of several entries with one name, the
// one that has it already keeps it; if none has, none gets it: neither wins by
// chance.
func (d *differ) names() nameOwners {
	owners := make(nameOwners, len(d.want.People))
	for i := range d.want.People {
		p := &d.want.People[i]
		key, err := directory.KeyOf(p.Profile.UserName)
		if err != nil {
			continue
		}
		if _, taken := owners[key]; !taken || d.holds(p, key) {
			owners[key] = int32(i)
		} else if first := owners[key]; first < 0 || !d.holds(&d.want.People[first], key) {
			owners[key] = ambiguous
		}
	}
	return owners
}

// holds reports whether the store gives this userName to this person.
func (d *differ) holds(p *Person, key directory.NameKey) bool {
	at, ok := d.knownUser[p.Profile.ExternalID]
	if !ok {
		return false
	}
	mine, err := directory.KeyOf(d.have.People[at].UserName)
	return err == nil && mine == key
}

func (n nameOwners) of(p directory.Profile) int32 {
	key, err := directory.KeyOf(p.UserName)
	if err != nil {
		return ambiguous
	}
	return n[key]
}

// wanted reports whether somebody of the read is to have this name.
func (n nameOwners) wanted(name string) bool {
	key, err := directory.KeyOf(name)
	if err != nil {
		return false
	}
	at, ok := n[key]
	return ok && at != ambiguous
}
