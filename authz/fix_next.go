package authz

import "slices"

// Next is the shortest step to an allow: the commands that it takes. It is empty
// if there is none that can be made here, or none that neither takes anything
// away nor gives administration rights that nobody asked for.
func (e *Explanation) Next() (commands []string) {
	if e.Who.Past {
		return nil
	}
	who := "USER"
	if e.Who.Handle != "" {
		who = shellWord(e.Who.Handle)
	}
	for _, args := range e.next {
		if command := commandLine(args, who); !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	return commands
}

// freed takes over what makes the user active, for looking at what is missing
// besides.
func (x *fixer) freed(fixes []Fix) {
	for _, f := range fixes {
		for _, way := range f.ways {
			x.free = append(x.free, way...)
		}
	}
	if x.subject.Inactive {
		x.free = append(x.free, activateUser)
	}
}

// shortest finds the commands that allow together: all that make the user
// active, and the first for each part. What works alone is not kept company.
func (x *fixer) shortest(stands []Fix, parts []Part) (commands [][]string) {
	if x.subject.Inactive {
		return nil // what says so is not here
	}
	sets := [][]Fix{nil}
	for _, part := range parts {
		if part.Code == Granted {
			continue
		}
		var longer [][]Fix
		for _, set := range sets {
			for _, f := range part.Fixes {
				if f.Enough && f.Command != "" && !f.wide && !f.costs {
					longer = append(longer, append(slices.Clip(set), f))
				}
			}
		}
		sets = longer
	}
	stands = slices.DeleteFunc(slices.Clone(stands), func(f Fix) bool { return f.ways == nil })
	for _, set := range sets {
		if !x.allowed(trial{x.s, *x.subject}, slices.Concat(set, stands)) {
			continue
		}
		for i := range set {
			if alone := set[i : i+1]; x.allowed(trial{x.s, *x.subject}, slices.Concat(alone, stands)) {
				set = alone
				break
			}
		}
		for _, f := range slices.Concat(stands, set) {
			commands = append(commands, f.args)
		}
		return commands
	}
	return nil
}

// allowed reports whether the answer is yes after all of some fixes, whatever
// comes of each.
func (x *fixer) allowed(t trial, fixes []Fix) bool {
	if len(fixes) == 0 {
		return t.s.Decide(&t.subject, x.req).Allow
	}
	for _, way := range fixes[0].ways {
		if !x.allowed(t.after(way), fixes[1:]) {
			return false
		}
	}
	return true
}
