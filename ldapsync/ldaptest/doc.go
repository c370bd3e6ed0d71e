// Package ldaptest gives tests LDAP servers to read from.
//
// [Start] runs a real OpenLDAP slapd, [StartSamba] a real Samba Active Directory
// domain controller and [Start389] a real 389 Directory Server, each in a directory of its own on loopback, each
// stopped when the test ends. [StartFake] is a small LDAP server inside the
// process which misbehaves on request at any message, and [StartProxy] stands
// between a client and any of them and cuts the connection at any byte.
//
// Without the server's binary a test is skipped, and fails when the environment
// says CI=true: there the packages must be installed.
package ldaptest
