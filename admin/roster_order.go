package admin

import (
	"cmp"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// An ordered is a person at their place in an order.
type ordered struct {
	key string
	*person
}

func compareOrdered(a, b ordered) int {
	return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(string(a.row.ID), string(b.row.ID)))
}

// in returns everybody in an order. The slice is never changed, so that who
// holds it may read on.
func (r *roster) in(order string) []ordered {
	if have, ok := r.orders[order]; ok {
		return have
	}
	key := userOrders[order]
	all := make([]ordered, 0, len(r.by))
	for _, p := range r.by {
		all = append(all, ordered{key(p), p})
	}
	slices.SortFunc(all, compareOrdered)
	r.orders[order] = all
	return all
}

// replace takes people out, by id, and puts others in.
func (r *roster) replace(ids []directory.UserID, now []*person) {
	var old []*person
	for _, id := range ids {
		if p := r.by[id]; p != nil {
			old = append(old, p)
			delete(r.by, id)
		}
	}
	for _, p := range now {
		if was := r.by[p.row.ID]; was != nil { // an identity's id named it
			old = append(old, was)
		}
		p.kind = r.kinds.of(&p.row)
		r.by[p.row.ID] = p
	}
	for order, all := range r.orders {
		r.orders[order] = rearranged(all, placed(old, order), placed(now, order), compareOrdered)
	}
	r.replaceFirst(placed(old, "name"), placed(now, "name"))
}

// placed are some people in an order.
func placed(some []*person, order string) []ordered {
	key, out := userOrders[order], make([]ordered, len(some))
	for i, p := range some {
		out[i] = ordered{key(p), p}
	}
	slices.SortFunc(out, compareOrdered)
	return out
}

// rearranged is an order without some and with others; all three are in that order.
func rearranged[T any](all, out, in []T, compare func(a, b T) int) []T {
	next := make([]T, 0, max(0, len(all)-len(out)+len(in)))
	for len(out)+len(in) > 0 {
		leave := len(in) == 0 || len(out) > 0 && compare(out[0], in[0]) <= 0
		at := in
		if leave {
			at = out
		}
		i, found := slices.BinarySearchFunc(all, at[0], compare)
		next, all = append(next, all[:i]...), all[i:]
		if !leave {
			next, in = append(next, in[0]), in[1:]
			continue
		}
		if out = out[1:]; found {
			all = all[1:]
		}
	}
	return append(next, all...)
}

// fillFirst finds the first members, by name, of every group.
func (r *roster) fillFirst() {
	r.first = map[directory.GroupNum][]ordered{}
	for _, o := range r.in("name") {
		for _, m := range o.sub.Memberships {
			if have := r.first[m.Group]; len(have) < firstMembers && !has(have, o.row.ID) {
				r.first[m.Group] = append(have, o)
			}
		}
	}
}

// firstMembersOf returns the first members, by name, of some groups.
func (r *roster) firstMembersOf(groups []directory.GroupNum) map[directory.GroupNum][]ordered {
	missing := map[directory.GroupNum]bool{}
	for _, num := range groups {
		if _, known := r.first[num]; !known {
			missing[num], r.first[num] = true, nil
		}
	}
	for _, o := range r.in("name") {
		if len(missing) == 0 {
			break
		}
		for _, m := range o.sub.Memberships {
			if !missing[m.Group] || has(r.first[m.Group], o.row.ID) {
				continue
			}
			if r.first[m.Group] = append(r.first[m.Group], o); len(r.first[m.Group]) == firstMembers {
				delete(missing, m.Group)
			}
		}
	}
	out := make(map[directory.GroupNum][]ordered, len(groups))
	for _, num := range groups {
		out[num] = r.first[num]
	}
	return out
}

// replaceFirst keeps the first members right: whoever leaves a full list makes
// it unknown, because the next one is not in it.
func (r *roster) replaceFirst(old, now []ordered) {
	for _, o := range old {
		for _, m := range o.sub.Memberships {
			have, known := r.first[m.Group]
			switch {
			case !known || !has(have, o.row.ID):
			case len(have) == firstMembers:
				delete(r.first, m.Group)
			default:
				r.first[m.Group] = slices.DeleteFunc(slices.Clone(have), func(other ordered) bool { return other.row.ID == o.row.ID })
			}
		}
	}
	for _, o := range now {
		for _, m := range o.sub.Memberships {
			have, known := r.first[m.Group]
			if !known || has(have, o.row.ID) {
				continue
			}
			i, _ := slices.BinarySearchFunc(have, o, compareOrdered)
			if i < firstMembers {
				have = slices.Insert(slices.Clone(have), i, o)
				r.first[m.Group] = have[:min(len(have), firstMembers)]
			}
		}
	}
}

func has(list []ordered, id directory.UserID) bool {
	return slices.ContainsFunc(list, func(o ordered) bool { return o.row.ID == id })
}
