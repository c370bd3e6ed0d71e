package authz

import "strings"

// commandLine is a command to paste into a shell, about a user.
func commandLine(args []string, user string) string {
	if len(args) == 0 {
		return ""
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		if quoted[i] = shellWord(arg); arg == userArg {
			quoted[i] = user
		}
	}
	return "usherd " + strings.Join(quoted, " ")
}

// shellWord quotes what a shell would not take as one plain word.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// About says whom an explanation is about, in its texts and commands. One of the
// past has no commands.
func (e *Explanation) About(who Person) {
	e.Who = who
	if who.Handle == "" && !who.Past {
		return
	}
	name := func(fixes []Fix) {
		for i := range fixes {
			if who.Past {
				fixes[i].Command = ""
				continue
			}
			fixes[i].Command = commandLine(fixes[i].args, shellWord(who.Handle))
		}
	}
	name(e.Fixes)
	for i := range e.Parts {
		name(e.Parts[i].Fixes)
	}
}
