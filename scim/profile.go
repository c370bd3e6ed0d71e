package scim

import (
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// A Profile says whose habits the client of a source has. It decides nothing:
// what one provider is known to send is understood from every other, too.
type Profile string

// The profiles.
const (
	ProfileAuto      Profile = "auto" // told from the requests
	ProfileOkta      Profile = "okta"
	ProfileEntra     Profile = "entra"
	ProfileAuthentik Profile = "authentik"
	ProfilePing      Profile = "ping"
	ProfileOneLogin  Profile = "onelogin"
	ProfileJumpCloud Profile = "jumpcloud"
	ProfileGoogle    Profile = "google"
	ProfileKeycloak  Profile = "keycloak"
	ProfileGeneric   Profile = "generic"
)

// Profiles are all profiles that a source can be set to.
var Profiles = []Profile{
	ProfileAuto, ProfileOkta, ProfileEntra, ProfileAuthentik, ProfilePing, ProfileOneLogin, ProfileJumpCloud,
	ProfileGoogle, ProfileKeycloak, ProfileGeneric,
}

// ProfileNames lists them for people.
func ProfileNames() string {
	names := make([]string, len(Profiles))
	for i, p := range Profiles {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}

func (p Profile) known() bool { return p == "" || slices.Contains(Profiles, p) }

// agents are the parts of a User-Agent that give a provider away.
var agents = []struct {
	part    string
	profile Profile
}{
	{"authentik", ProfileAuthentik},
	{"okta", ProfileOkta},
	{"azure", ProfileEntra},
	{"entra", ProfileEntra},
	{"microsoft", ProfileEntra},
	{"pingfederate", ProfilePing},
	{"pingone", ProfilePing},
	{"onelogin", ProfileOneLogin},
	{"jumpcloud", ProfileJumpCloud},
	{"google", ProfileGoogle},
	{"keycloak", ProfileKeycloak},
}

// shapes are the quirks of which one provider only is known.
var shapes = map[string]Profile{
	"op in capital letters":    ProfileEntra,
	"active string to boolean": ProfileEntra,
}

// Detect tells from one request whose client it is: from its User-Agent, else
// from what had to be bent. It is empty if neither says.
func Detect(r directory.Request) Profile {
	agent := strings.ToLower(r.Agent)
	for _, a := range agents {
		if strings.Contains(agent, a.part) {
			return a.profile
		}
	}
	for _, q := range r.Quirks {
		if p, ok := shapes[q]; ok {
			return p
		}
	}
	return ""
}
