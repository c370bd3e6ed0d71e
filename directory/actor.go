package directory

import "net/netip"

// The kinds of actor. A kind says how somebody proved who they are; what they
// may do is never decided by it, but for those who hold the machine itself.
const (
	ActorUser   = "user"   // a signed-in user; the name is the user's id
	ActorToken  = "admin"  // the holder of an admin token; the name is the token's
	ActorSocket = "socket" // whoever reaches the daemon's socket or its store: the owner of the machine
	ActorSystem = "system" // the daemon itself, by its configuration
	ActorSCIM   = "scim"   // an identity provider; the name is the source's
	ActorLDAP   = "ldap"   // a run of a polled directory; the name is the source's
)

// Root reports whether a is trusted with everything: the owner of the machine,
// and the daemon itself. What they do is audited like anything else.
func (a Actor) Root() bool { return a.Kind == ActorSocket || a.Kind == ActorSystem }

// AddressOf is the IP address of the other side of a connection, given as
// host:port or as a host alone: in one form for each address, without a port, a
// zone or IPv4 inside IPv6. It is empty for what is no IP address, like the name
// of a socket.
func AddressOf(remote string) string {
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		pair, perr := netip.ParseAddrPort(remote)
		if perr != nil {
			return ""
		}
		addr = pair.Addr()
	}
	return addr.Unmap().WithZone("").String()
}
