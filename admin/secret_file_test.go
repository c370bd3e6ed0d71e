package admin_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestOnlyTheOwnerOfTheMachineNamesItsFiles(t *testing.T) {
	w := newWorld(t)
	w.SecretFolder = "/run/secrets/usherd"
	owner := w.user("owner@example.com")
	w.apply(directory.PutGrant{Grant: directory.Grant{User: owner, Role: directory.RoleOwner, Origin: directory.ByHand, By: "test"}})
	signedIn := directory.Actor{Kind: directory.ActorUser, Name: string(owner)}
	for name, c := range map[string]struct {
		kind     directory.SourceKind
		settings string
		by       directory.Actor
		ok       bool
	}{
		"whoever owns the machine names any file":      {directory.KindLDAP, `{"passwordFile":"/etc/shadow"}`, by, true},
		"a signed-in owner names none outside":         {directory.KindLDAP, `{"passwordFile":"/etc/shadow"}`, signedIn, false},
		"in whatever case the key is written":          {directory.KindLDAP, `{"PASSWORDFILE":"/etc/shadow"}`, signedIn, false},
		"nor by a way out of the folder":               {directory.KindLDAP, `{"passwordFile":"/run/secrets/usherd/../x"}`, signedIn, false},
		"nor the folder's namesake":                    {directory.KindLDAP, `{"caFile":"/run/secrets/usherd-2/x"}`, signedIn, false},
		"a file in the folder may be named":            {directory.KindLDAP, `{"passwordFile":"/run/secrets/usherd/reader"}`, signedIn, true},
		"the profile of a SCIM source is no file":      {directory.KindSCIM, `{"profile":"okta"}`, signedIn, true},
		"a key that looks like the profile may be one": {directory.KindSCIM, `{"myProfile":"/etc/shadow"}`, signedIn, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := admin.NewSource{Name: "s" + directory.SourceName(directory.NewID()), Kind: c.kind, Settings: json.RawMessage(c.settings)}
			_, err := w.AddSource(admin.WithDryRun(t.Context()), c.by, n)
			if c.ok && err != nil || !c.ok && !errors.Is(err, admin.ErrForbidden) {
				t.Errorf("AddSource(%s) = %v; want ok %v", c.settings, err, c.ok)
			}
		})
	}
}
