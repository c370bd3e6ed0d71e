package store_test

import (
	"bytes"
	"testing"

	"github.com/usherd/usherd/store"
)

func TestRootKeyIsWrapped(t *testing.T) {
	secret, other := bytes.Repeat([]byte("s"), 32), bytes.Repeat([]byte("o"), 40)
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			dsn := engine.dsn(t)
			key := func(secret []byte) ([]byte, error) {
				s, err := store.Open(t.Context(), store.Config{DSN: dsn, KeySecret: secret})
				if err != nil {
					return nil, err
				}
				defer s.Close()
				return s.RootKey(t.Context())
			}
			bare, err := key(nil)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the first wraps it
				if got, err := key(secret); err != nil || !bytes.Equal(got, bare) {
					t.Errorf("RootKey with a secret = %x, %v; want %x as before", got, err, bare)
				}
			}
			for name, wrong := range map[string][]byte{"no secret": nil, "another secret": other} {
				if got, err := key(wrong); err == nil {
					t.Errorf("Open of a wrapped key with %s = %x, want an error", name, got)
				}
			}
		})
	}
	if _, err := store.Open(t.Context(), store.Config{DSN: engines[0].dsn(t), KeySecret: []byte("short")}); err == nil {
		t.Error("Open with a short secret = nil, want an error")
	}
}

func TestRootKeyIsMadeWrapped(t *testing.T) {
	dsn := engines[0].dsn(t)
	secret := bytes.Repeat([]byte("s"), 32)
	s, err := store.Open(t.Context(), store.Config{DSN: dsn, KeySecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(t.Context(), store.Config{DSN: dsn}); err == nil {
		_ = s.Close()
		t.Error("Open without the secret of a new store = nil, want an error")
	}
}
