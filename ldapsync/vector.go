package ldapsync

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Vector says how far a server has come in replication: for each naming
// context the change sequence number (CSN) of the newest change that it has from
// each server on which changes are made. Naming contexts are as canonical writes
// them; CSNs of one origin are of one length and in the order of their texts.
type Vector map[string]map[string]string

// A gap is what a server lacks of what was seen before: the changes made on an
// origin between two CSNs, of which has is empty if it knows nothing of it.
type gap struct {
	context, origin string
	has, wants      string
}

// without returns what v lacks of what was seen, in order. Of a naming context
// that v does not tell of nobody knows, which is another matter: see silent.
// What was seen of one that does not concern the bases any more does not count.
func (v Vector) without(seen Vector, bases []string) []gap {
	var gaps []gap
	for _, context := range slices.Sorted(maps.Keys(seen.concerning(bases))) {
		if len(v[context]) == 0 {
			continue
		}
		for _, origin := range slices.Sorted(maps.Keys(seen[context])) {
			if has, wants := v[context][origin], seen[context][origin]; has < wants {
				gaps = append(gaps, gap{context, origin, has, wants})
			}
		}
	}
	return gaps
}

// silent returns the naming contexts of which something was seen and v tells
// nothing, in order.
func (v Vector) silent(seen Vector, bases []string) []string {
	var contexts []string
	for _, context := range slices.Sorted(maps.Keys(seen.concerning(bases))) {
		if len(v[context]) == 0 {
			contexts = append(contexts, context)
		}
	}
	return contexts
}

// with returns the newer of what v and w say. Both stay.
func (v Vector) with(w Vector) Vector {
	if len(v) == 0 {
		return w
	}
	out := make(Vector, len(v))
	for context, origins := range v {
		out[context] = maps.Clone(origins)
	}
	for context, origins := range w {
		if out[context] == nil {
			out[context] = make(map[string]string, len(origins))
		}
		for origin, csn := range origins {
			out[context][origin] = max(out[context][origin], csn)
		}
	}
	return out
}

// concerning returns the part of v that concerns the bases.
func (v Vector) concerning(bases []string) Vector {
	out := maps.Clone(v)
	maps.DeleteFunc(out, func(context string, _ map[string]string) bool {
		return !slices.ContainsFunc(bases, func(base string) bool { return overlap(context, base) })
	})
	return out
}

// overlap reports whether one of two canonical names is or contains the other.
func overlap(a, b string) bool { return under(a, b) || under(b, a) }

// under reports whether a canonical name is another or lies below it.
func under(name, top string) bool {
	return name == top || top == "" || strings.HasSuffix(name, ","+top)
}

// canonicalName is canonical of a name given as text, without its last comma.
func canonicalName(dn string) string { return strings.TrimSuffix(canonical(dn, parseDN(dn)), ",") }

func canonicalNames(dns ...string) []string {
	out := make([]string, len(dns))
	for i, dn := range dns {
		out[i] = canonicalName(dn)
	}
	return out
}

// String says what is lacking, and how far behind that is.
func (g gap) String() string {
	wants := madeAt(g.wants).Format(time.DateTime)
	if g.has == "" {
		return fmt.Sprintf("of the changes made on %s under %s it knows nothing; those until %s UTC were read before", g.origin, g.context, wants)
	}
	late := madeAt(g.wants).Sub(madeAt(g.has)).Round(time.Second)
	return fmt.Sprintf("of the changes made on %s under %s it has those until %s, and those until %s UTC were read before (%s)",
		g.origin, g.context, madeAt(g.has).Format(time.DateTime), wants, late)
}

// madeAt is when the change of a CSN was made; the zero time for what is none.
func madeAt(csn string) time.Time {
	if len(csn) == ruvCSN {
		seconds, err := strconv.ParseInt(csn[:8], 16, 64)
		if err != nil {
			return time.Time{}
		}
		return time.Unix(seconds, 0).UTC()
	}
	const second = "20060102150405"
	at, err := time.Parse(second, csn[:min(len(second), len(csn))])
	if err != nil {
		return time.Time{}
	}
	return at
}

var errCSN = errors.New("no change sequence number")

// contextCSNLen is the length of YYYYMMDDhhmmss.uuuuuuZ#cccccc#sss#mmmmmm.
const contextCSNLen = 40

// parseContextCSN reads a value of contextCSN (OpenLDAP): the time of the
// change, a count within it, the serverID on which it was made, and a count of
// modifications. Versions before 2.4 wrote neither microseconds nor the third
// digit of a serverID.
func parseContextCSN(text string) (origin, csn string, err error) {
	parts := strings.Split(text, "#")
	if len(parts) != 4 {
		return "", "", errCSN
	}
	if plain, ok := strings.CutSuffix(parts[0], "Z"); ok && !strings.Contains(plain, ".") {
		parts[0] = plain + ".000000Z"
	}
	if len(parts[2]) == 2 {
		parts[2] = "0" + parts[2]
	}
	csn = strings.ToLower(strings.Join(parts, "#"))
	if _, err := time.Parse("20060102150405.000000Z", parts[0]); err != nil || len(csn) != contextCSNLen {
		return "", "", errCSN
	}
	for i, length := range []int{6, 3, 6} {
		if len(parts[i+1]) != length || !isHex(parts[i+1]) {
			return "", "", errCSN
		}
	}
	return "serverID " + strings.ToLower(parts[2]), strings.Replace(csn, "z", "Z", 1), nil
}

// ruvCSN is the length of a CSN of 389 Directory Server: seconds, a count within
// them, the replica and a count of modifications, in hexadecimal.
const ruvCSN = 20

// parseRUV reads the values of nsds50ruv (389 Directory Server): the generation
// of the data, and for each replica its id, its address, and its oldest and
// newest CSN, if it has any. A replica's part of the origin is its id; the
// generation is another one after the data were imported anew.
func parseRUV(values []string) (map[string]string, error) {
	const generation = "{replicageneration} "
	at := slices.IndexFunc(values, func(v string) bool { return strings.HasPrefix(v, generation) })
	if at < 0 {
		return nil, errCSN
	}
	data := strings.ToLower(strings.TrimSpace(values[at][len(generation):]))
	if len(data) != ruvCSN || !isHex(data) {
		return nil, errCSN
	}
	out := map[string]string{}
	for _, v := range values {
		rest, ok := strings.CutPrefix(v, "{replica ")
		if !ok {
			continue
		}
		head, csns, ok := strings.Cut(rest, "}")
		id, _, _ := strings.Cut(head, " ")
		if _, err := strconv.ParseUint(id, 10, 16); err != nil || !ok {
			return nil, errCSN
		}
		fields := strings.Fields(csns)
		if len(fields) < 2 { // nothing was changed on it yet
			continue
		}
		csn := strings.ToLower(fields[1])
		if len(csn) != ruvCSN || !isHex(csn) {
			return nil, errCSN
		}
		origin := "replica " + id + " of " + data
		out[origin] = max(out[origin], csn)
	}
	return out, nil
}

func isHex(text string) bool {
	_, err := hex.DecodeString(text + strings.Repeat("0", len(text)%2))
	return err == nil
}
