package console

import (
	"strings"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A thing is what can be granted, in words: by title and by key.
type thing struct {
	Kind, Title, Key string // without a title: by the key alone
	Level, Project   string
}

// thingOfToken is what a token of a form stands for.
func thingOfToken(token grantToken, ch admin.Choices) thing {
	kind, key, _ := strings.Cut(token, ":")
	if kind == string(directory.IntegrationLevel) {
		at := max(strings.LastIndexByte(key, '='), 0)
		return thingNamed(kind, key[:at], ch).at(key[at:])
	}
	return thingNamed(kind, key, ch)
}

// at adds a level, which may begin with an equals sign.
func (t thing) at(level string) thing {
	t.Level = strings.TrimPrefix(level, "=")
	return t
}

// thingNamed is a thing of a kind with its title, if it has one.
func thingNamed(kind, key string, ch admin.Choices) thing {
	t := thing{Kind: kind, Key: key, Title: titleOfKey(kind, key, ch)}
	if kind == "roles" {
		t.Kind = "Role"
		for _, r := range ch.Roles {
			if string(r.Name) == key {
				t.Title = r.Title
			}
		}
	}
	if t.Title == t.Key {
		t.Title = ""
	}
	return t
}

// thingsOf are what somebody gains or loses; of levels on one connection the
// highest.
func thingsOf(all []authz.Holding, ch admin.Choices) (out []thing) {
	for _, h := range highest(all) {
		t := thing{Kind: "right", Key: string(h.Right)}
		if h.Right == "" {
			t = thingNamed(string(h.Privilege.Kind), h.Privilege.Key, ch)
		}
		if h.Privilege.Kind == directory.IntegrationLevel {
			t.Level = h.Privilege.Level.String()
		}
		if t.Project = ""; h.Project != "" {
			t.Project = scopeName(h.Project, ch.Projects)
		}
		out = append(out, t)
	}
	return out
}
