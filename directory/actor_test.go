package directory_test

import (
	"net/netip"
	"testing"

	"github.com/usherd/usherd/directory"
)

func FuzzAddressOf(f *testing.F) {
	for _, text := range []string{"192.0.2.1:80", "192.0.2.1", "[2001:db8::1]:80", "::1", "[fe80::1%eth0]:80", "[::ffff:192.0.2.1]:80", "@", "", "localhost:80"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := directory.AddressOf(text)
		if got == "" {
			return
		}
		addr, err := netip.ParseAddr(got)
		if err != nil || addr.Zone() != "" || addr.Is4In6() || addr.String() != got {
			t.Errorf("AddressOf(%q) = %q, which is no plain address: %v", text, got, err)
		}
		if again := directory.AddressOf(got); again != got {
			t.Errorf("AddressOf(%q) = %q, want it unchanged", got, again)
		}
	})
}
