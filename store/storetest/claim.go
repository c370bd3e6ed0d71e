package storetest

import (
	"errors"
	"testing"

	"github.com/usherd/usherd/directory"
)

// testClaims asks what becomes of newcomers, and lets them come.
func testClaims(t *testing.T, s directory.Store) {
	f := fill(t, s)
	ann, ben := f.user(okta, "Ann"), f.user(okta, "ben")
	own := f.user(corp, "own")
	cleo, joined := f.user(okta, "cleo"), directory.UserID(directory.NewID())
	f.apply(directory.CreateUser{ID: joined, Source: corp, User: cleo, Profile: profile("cleo-corp")})
	f.apply(directory.DeleteUser{ID: joined, Source: corp}, directory.LinkUser{Source: corp, Value: "x-benjamin", User: ben})
	gone := f.user(okta, "gone")
	f.apply(directory.DeleteUser{ID: gone, Source: okta})
	newcomer := func(name string) directory.Newcomer {
		return directory.Newcomer{UserName: name, ExternalID: "x-" + name}
	}
	for _, tt := range []struct {
		claim string
		who   directory.Newcomer
		want  directory.Claim
	}{
		{"somebody new", newcomer("new"), directory.Claim{}},
		{"a userName of another source, in any case", newcomer("aNN"), directory.Claim{Holder: ann, HolderSource: okta, HolderUser: ann}},
		{"a userName of the source itself", newcomer("own"), directory.Claim{Holder: own, HolderSource: corp, HolderUser: own}},
		{"a userName that a deleted user had", newcomer("gone"), directory.Claim{}},
		{"whom an administrator linked by externalId", newcomer("benjamin"), directory.Claim{User: ben}},
		{
			"whom an administrator linked, with the userName of that user",
			directory.Newcomer{UserName: "ben", ExternalID: "x-benjamin"},
			directory.Claim{Holder: ben, HolderSource: okta, HolderUser: ben, User: ben},
		},
		{"an identity that speaks again", newcomer("cleo-corp"), directory.Claim{Revives: joined, User: cleo}},
		{"an identity that takes the name of another user", directory.Newcomer{ID: own, UserName: "ann"}, directory.Claim{Holder: ann, HolderSource: okta, HolderUser: ann}},
		{"an identity that keeps its name", directory.Newcomer{ID: own, UserName: "own", ExternalID: "x-benjamin"}, directory.Claim{}},
		{"a userName that is no text", directory.Newcomer{UserName: "\xff", ExternalID: "x"}, directory.Claim{}},
		{"nothing", directory.Newcomer{}, directory.Claim{}},
	} {
		got, err := s.Claims(t.Context(), corp, tt.who)
		if err != nil || len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: Claims(%+v) = %+v, %v; want %+v", tt.claim, tt.who, got, err, tt.want)
		}
	}
	many := make([]directory.Newcomer, 6000) // more than one statement takes
	many[5999] = newcomer("ann")
	if got, err := s.Claims(t.Context(), corp, many...); err != nil || len(got) != 6000 || got[5999].Holder != ann || got[0] != (directory.Claim{}) {
		t.Errorf("Claims of many = %d, %v", len(got), err)
	}
	if _, err := s.Claims(t.Context(), corp, directory.Newcomer{ExternalID: "\x00"}); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("Claims of what can't be kept: %v, want ErrInvalid", err)
	}
	if got, err := s.Claims(t.Context(), corp); err != nil || len(got) != 0 {
		t.Errorf("Claims of nobody = %v, %v", got, err)
	}
}
