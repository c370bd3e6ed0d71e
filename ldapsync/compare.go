package ldapsync

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/usherd/usherd/directory"
)

// printOf stands for everything of a profile that is compared, as it is
// written. Equal prints mean equal profiles; different ones are looked at.
func printOf(p *directory.Profile) key {
	h := sha256.New()
	emails := emailsText(p)
	for _, text := range [][]byte{[]byte(p.UserName), []byte(p.DN), []byte(p.DisplayName), emails, p.Attributes} {
		fmt.Fprintf(h, "%d:", len(text))
		_, _ = h.Write(text)
	}
	fmt.Fprint(h, p.Active)
	return key(h.Sum(nil)[:16])
}

func emailsText(p *directory.Profile) []byte {
	var b []byte
	for _, e := range p.Emails {
		b = fmt.Appendf(b, "%q %q %t,", e.Value, e.Type, e.Primary)
	}
	return b
}

// canonicalJSON makes the order of keys and white space not matter.
func canonicalJSON(text json.RawMessage) []byte {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return text
	}
	out, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return out
}

// changed names the fields in which p differs from what is known.
func (k known) changed(active bool, p *directory.Profile) changes {
	var c changes
	for i, differs := range [...]bool{
		k.UserName != p.UserName, active != p.Active, k.DN != p.DN, k.DisplayName != p.DisplayName, k.Emails != string(emailsText(p)),
		k.Attributes != string(p.Attributes) && !bytes.Equal(canonicalJSON(json.RawMessage(k.Attributes)), canonicalJSON(p.Attributes)),
	} {
		if differs {
			c |= 1 << i
		}
	}
	return c
}

// changes is a set of fields of a person.
type changes uint8

const changedUserName changes = 1

var changedFields = [...]string{"userName", "active", "dn", "displayName", "emails", "attributes"}

func (c changes) names() []string {
	var names []string
	for i, name := range changedFields {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
