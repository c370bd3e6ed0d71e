package ldaptest

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// slapdConf is a slapd.conf over dir. Every DN it names is a constant.
func slapdConf(dir string, c Config, certs Certs) string {
	var b strings.Builder
	for _, schema := range []string{"core", "cosine", "nis", "inetorgperson", "dyngroup"} {
		fmt.Fprintf(&b, "include /etc/ldap/schema/%s.schema\n", schema)
	}
	fmt.Fprintf(&b, "modulepath /usr/lib/ldap\nmoduleload back_mdb.la\nmoduleload ppolicy.la\n")
	fmt.Fprintf(&b, "pidfile %[1]s/slapd.pid\nargsfile %[1]s/slapd.args\nloglevel none\n", dir)
	if certs.CA != "" {
		fmt.Fprintf(&b, "TLSCACertificateFile %s\nTLSCertificateFile %s\nTLSCertificateKeyFile %s\n"+
			"TLSVerifyClient allow\nauthz-regexp \"cn=sync-reader\" \"%s\"\n", certs.CA, certs.Server, certs.ServerKey, ReaderDN)
	}
	limit := "size=unlimited size.pr=unlimited size.prtotal=unlimited"
	if c.SizeLimit > 0 {
		limit = fmt.Sprintf("size=%[1]d size.prtotal=%[1]d", c.SizeLimit)
	}
	fmt.Fprintf(&b, "sizelimit 500\ndatabase mdb\nmaxsize 4294967296\nsuffix %q\nrootdn %q\nrootpw %s\ndirectory %s/db\ndbnosync\n"+
		"index objectClass,entryUUID eq\nindex uid,cn eq\nlimits dn.exact=%q time=unlimited %s\n"+
		"limits dn.exact=%q size=50 size.prtotal=50\n"+
		"access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\noverlay ppolicy\n",
		Base, AdminDN, adminPW, dir, ReaderDN, limit, LimitedDN)
	if c.MemberOf {
		b.WriteString("moduleload memberof.la\noverlay memberof\n")
	}
	b.WriteString(replicationConf(c))
	return b.String()
}

const smallSeed = `dn: BASE
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=reader,BASE
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: userpw

dn: cn=limited,BASE
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: limited
userPassword: userpw

dn: ou=people,BASE
objectClass: organizationalUnit
ou: people

dn: ou=Engineering,ou=people,BASE
objectClass: organizationalUnit
ou: Engineering

dn: ou=Finance,ou=people,BASE
objectClass: organizationalUnit
ou: Finance

dn: ou=bulk,ou=people,BASE
objectClass: organizationalUnit
ou: bulk

dn: ou=groups,BASE
objectClass: organizationalUnit
ou: groups

dn: uid=alice,ou=Engineering,ou=people,BASE
objectClass: inetOrgPerson
objectClass: posixAccount
uid: alice
cn: Alice Ansel
givenName: Alice
sn: Ansel
mail: alice@example.test
title: Engineer
departmentNumber: Engineering
o: Example GmbH
uidNumber: 10001
gidNumber: 20001
homeDirectory: /home/alice

dn: uid=bob,ou=Engineering,ou=people,BASE
objectClass: inetOrgPerson
objectClass: posixAccount
uid: bob
cn: Bob Brook
sn: Brook
mail: bob@example.test
departmentNumber: Engineering
uidNumber: 10002
gidNumber: 20001
homeDirectory: /home/bob

dn: uid=carol,ou=Finance,ou=people,BASE
objectClass: inetOrgPerson
objectClass: shadowAccount
uid: carol
cn: Carol Cole
sn: Cole
mail: carol@example.test
shadowExpire: 1

dn: cn=Duval\, Zoë *(temp),ou=Finance,ou=people,BASE
objectClass: inetOrgPerson
uid: zoe
sn: Duval
cn: Duval, Zoë *(temp)
mail: zoe@example.test

dn: uid=dave,ou=Engineering,ou=people,BASE
objectClass: inetOrgPerson
uid: dave
cn: Dave Locked
sn: Locked
mail: dave@example.test
pwdAccountLockedTime: 000001010000Z

dn: cn=backend,ou=groups,BASE
objectClass: groupOfNames
cn: backend
member: uid=alice,ou=Engineering,ou=people,BASE
member: uid=bob,ou=Engineering,ou=people,BASE

dn: cn=engineering,ou=groups,BASE
objectClass: groupOfNames
cn: engineering
member: cn=backend,ou=groups,BASE
member: uid=dave,ou=Engineering,ou=people,BASE

dn: cn=all-staff,ou=groups,BASE
objectClass: groupOfNames
cn: all-staff
member: cn=engineering,ou=groups,BASE
member: cn=finance,ou=groups,BASE

dn: cn=finance,ou=groups,BASE
objectClass: groupOfNames
cn: finance
member: uid=carol,ou=Finance,ou=people,BASE
member: cn=Duval\, Zoë *(temp),ou=Finance,ou=people,BASE
member: cn=all-staff,ou=groups,BASE

dn: cn=posix-eng,ou=groups,BASE
objectClass: posixGroup
cn: posix-eng
gidNumber: 20001
memberUid: alice
memberUid: bob

dn: cn=unique-fin,ou=groups,BASE
objectClass: groupOfUniqueNames
cn: unique-fin
uniqueMember: uid=carol,ou=Finance,ou=people,BASE

dn: cn=dyn-eng,ou=groups,BASE
objectClass: groupOfURLs
cn: dyn-eng
memberURL: ldap:///ou=Engineering,ou=people,BASE??sub?(objectClass=inetOrgPerson)

dn: cn=platform team,ou=groups,BASE
objectClass: groupOfNames
cn: platform team
member: uid=bob,ou=Engineering,ou=people,BASE
`

const referralSeed = `
dn: ou=remote,BASE
objectClass: referral
objectClass: extensibleObject
ou: remote
ref: ldap://127.0.0.1:1/dc=other,dc=test
`

// writeSeed writes the small seed, what c adds to it, and its bulk.
func writeSeed(out io.Writer, c Config) error {
	b := bufio.NewWriter(out)
	fmt.Fprint(b, strings.ReplaceAll(smallSeed, "BASE", Base))
	if c.Referral {
		fmt.Fprint(b, strings.ReplaceAll(referralSeed, "BASE", Base))
	}
	if c.Extra != "" {
		fmt.Fprint(b, "\n", c.Extra)
	}
	for i := 1; i <= c.Users; i++ {
		fmt.Fprintf(b, "\ndn: %s\nobjectClass: inetOrgPerson\nuid: u%04d\ncn: User %d\nsn: Family%d\ngivenName: Given%d\n"+
			"mail: u%04d@example.test\ndepartmentNumber: %d\ntitle: Title %d\n", UserDN(i), i, i, i, i, i, i%20, i%7)
	}
	for g := 1; g <= c.Groups && c.Users > 0; g++ {
		fmt.Fprintf(b, "\ndn: %s\nobjectClass: groupOfNames\ncn: g%04d\n", GroupDN(g), g)
		for k := range min(100, c.Users) {
			fmt.Fprintf(b, "member: %s\n", UserDN((g*31+k)%c.Users+1))
		}
	}
	if c.Whole {
		fmt.Fprintf(b, "\ndn: cn=everybody,%s\nobjectClass: groupOfNames\ncn: everybody\n", Groups)
		for i := 1; i <= c.Users; i++ {
			fmt.Fprintf(b, "member: %s\n", UserDN(i))
		}
	}
	return b.Flush()
}

// UserDN is the DN of the i-th bulk user, from 1.
func UserDN(i int) string { return fmt.Sprintf("uid=u%04d,ou=bulk,%s", i, People) }

// GroupDN is the DN of the g-th bulk group, from 1.
func GroupDN(g int) string { return fmt.Sprintf("cn=g%04d,%s", g, Groups) }
