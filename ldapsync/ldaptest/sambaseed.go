package ldaptest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// sambaPrimary makes bob a member of primarygrp, which must come before it can
// become his primary group.
const sambaPrimary = `dn: CN=primarygrp,` + SambaGroups + `
changetype: modify
add: member
member: CN=Bob Brook,OU=Engineering,` + SambaStaff + `
`

// sambaSeed is the LDIF of the domain, in pieces.
func sambaSeed(c SambaConfig) []string {
	const engineering, finance = "OU=Engineering," + SambaStaff, "OU=Finance," + SambaStaff
	var b strings.Builder
	for _, ou := range []string{SambaStaff, engineering, finance, SambaGroups, "OU=Bulk," + SambaBase} {
		fmt.Fprintf(&b, "dn: %s\nobjectClass: organizationalUnit\n\n", ou)
	}
	password := sambaPassword(sambaReaderPW)
	user := func(cn, account, ou string, control int, extra string) {
		dn := base64.StdEncoding.EncodeToString([]byte("CN=" + cn + "," + ou))
		fmt.Fprintf(&b, "dn:: %s\nobjectClass: user\nsAMAccountName: %[2]s\nuserPrincipalName: %[2]s@ad.example.test\nmail: %[2]s@example.test\n"+
			"givenName: %[2]s\nunicodePwd:: %[3]s\nuserAccountControl: %[4]d\n%[5]s\n", dn, account, password, control, extra)
	}
	user("Alice Ansel", "alice", engineering, 512, "company: Example GmbH\ndepartment: Engineering\n")
	user("Bob Brook", "bob", engineering, 512, "")
	user("Carol Cole", "carol", finance, 514, "")
	user(`Duval\, Zoë *(temp)`, "zoe", finance, 512, "")
	user("Erin Expired", "erin", finance, 512, "accountExpires: 132000000000000000\n")
	user("sync reader", "svc-sync", engineering, 66048, "")
	group := func(cn string, members ...string) {
		fmt.Fprintf(&b, "dn: CN=%[1]s,%[2]s\nobjectClass: group\nsAMAccountName: %[1]s\n", cn, SambaGroups)
		for _, m := range members {
			fmt.Fprintf(&b, "member:: %s\n", base64.StdEncoding.EncodeToString([]byte(m)))
		}
		b.WriteString("\n")
	}
	group("backend", "CN=Alice Ansel,"+engineering, "CN=Bob Brook,"+engineering)
	group("engineering", "CN=backend,"+SambaGroups)
	group("finance", "CN=Carol Cole,"+finance, `CN=Duval\, Zoë *(temp),`+finance, "CN=Erin Expired,"+finance)
	group("all-staff", "CN=engineering,"+SambaGroups, "CN=finance,"+SambaGroups)
	group("primarygrp")
	return append([]string{b.String()}, sambaSizes(c.Sizes)...)
}

// sambaSizes is a group "of N" for each of sizes, and the contacts who are its
// members: they cost Samba a third of what users do.
func sambaSizes(sizes []int) []string {
	const chunk = 500
	if len(sizes) == 0 {
		return nil
	}
	most := slices.Max(sizes)
	var chunks []string
	var b strings.Builder
	for i := 1; i <= most; i++ {
		fmt.Fprintf(&b, "dn: %s\nobjectClass: contact\n\n", SambaContact(i))
		if i%chunk == 0 || i == most {
			chunks = append(chunks, b.String())
			b.Reset()
		}
	}
	for _, n := range sizes {
		fmt.Fprintf(&b, "dn: CN=of %[1]d,%[2]s\nobjectClass: group\nsAMAccountName: of %[1]d\n", n, SambaGroups)
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, "member: %s\n", SambaContact(i))
		}
		chunks = append(chunks, b.String()+"\n")
		b.Reset()
	}
	return chunks
}

// SambaContact is the DN of a contact, counted from 1.
func SambaContact(i int) string { return fmt.Sprintf("CN=c%05d,OU=Bulk,%s", i, SambaBase) }
