package ldaptest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

const ds389Packages = "389-ds-base python3-lib389"

// Names of the directory that [Start389] seeds.
const (
	DSBase     = "dc=ds,dc=test"
	DSPeople   = "ou=people," + DSBase
	DSGroups   = "ou=groups," + DSBase
	dsManager  = "cn=Directory Manager"
	dsPassword = "secret1234"
	dsReader   = "uid=reader," + DSBase
	dsReaderPW = "userpw1234"
)

// A DS389 is a running 389 Directory Server.
type DS389 struct {
	URL      string // ldap://127.0.0.1:port
	TLSURL   string // ldaps://localhost:port
	CA       string // PEM file of the authority behind TLSURL
	Addr     string
	BindDN   string // the reader, without limits
	Password string
	Base     string

	tb   testing.TB
	dir  string
	proc *process
}

// Start389 runs a 389 Directory Server, with the plug-in that writes memberOf,
// until the test ends: alice, bob, carol (locked) and zoe ("Duval, Zoë *(temp)");
// backend ⊂ engineering, finance (uniqueMember) and "platform team", which was
// renamed. It takes some seconds. The tools of the package refuse to be run by
// root, so root runs them as the package's user dirsrv.
func Start389(tb testing.TB) *DS389 {
	tb.Helper()
	create, server := need(tb, "dscreate", ds389Packages), need(tb, "ns-slapd", ds389Packages)
	dir, err := os.MkdirTemp("", "ds") //nolint:usetesting // another user must be able to reach it
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &DS389{BindDN: dsReader, Password: dsReaderPW, Base: DSBase, tb: tb, dir: dir}
	as := s.owner()
	s.as(as, create, "ds-root", s.file("root"), s.file("bin"))
	port, secure := freePort(tb), freePort(tb)
	s.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	s.URL, s.TLSURL = "ldap://"+s.Addr, fmt.Sprintf("ldaps://localhost:%d", secure)
	// dscreate starts the server for a moment: on loopback from the first
	for _, name := range []string{"template-dse-minimal.ldif", "template-dse.ldif"} {
		s.edit(filepath.Join("root/share/dirsrv/data", name), func(text string) string {
			return regexp.MustCompile(`(?m)^nsslapd-port: .*$`).ReplaceAllString(text,
				"$0\nnsslapd-listenhost: 127.0.0.1\nnsslapd-securelistenhost: 127.0.0.1")
		})
	}
	s.write("inst.inf", fmt.Sprintf(ds389Instance, port, secure, dsPassword, DSBase), as)
	s.as(as, s.file("bin/dscreate"), "from-file", s.file("inst.inf"))
	s.edit("root/etc/dirsrv/slapd-t1/dse.ldif", memberOfPlugin)
	s.CA = s.file("root/etc/dirsrv/slapd-t1/ca.crt")
	s.proc = startAs(tb, s.file("server.log"), as, server, "-D", s.file("root/etc/dirsrv/slapd-t1"), "-i", s.file("pid"), "-d", "0")
	s.proc.ready(tb, func() error {
		conn, err := ldap.DialURL(s.URL)
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.Bind(dsManager, dsPassword)
	})
	s.seed()
	return s
}

const ds389Instance = `[general]
config_version = 2
full_machine_name = localhost
strict_host_checking = False
start = False
selinux = False
systemd = False
[slapd]
instance_name = t1
port = %d
secure_port = %d
root_password = %s
self_sign_cert = True
[backend-userroot]
suffix = %s
create_suffix_entry = True
sample_entries = no
`

// memberOfPlugin turns the plug-in on in the text of a configuration.
func memberOfPlugin(text string) string {
	blocks := regexp.MustCompile(`\n\n+`).Split(strings.TrimSpace(text), -1)
	for i, b := range blocks {
		head, _, _ := strings.Cut(strings.ToLower(b), "\n")
		switch {
		case strings.HasPrefix(head, "dn: cn=memberof plugin,cn=plugins,cn=config"):
			b = regexp.MustCompile(`(?im)^nsslapd-pluginEnabled: *off$`).ReplaceAllString(b, "nsslapd-pluginEnabled: on")
			b += "\nmemberofgroupattr: uniqueMember\nmemberofautoaddoc: nsmemberof"
		case strings.HasPrefix(head, "dn: cn=userroot,cn=ldbm"):
			b = regexp.MustCompile(`(?im)^nsslapd-cachememsize:.*$`).ReplaceAllString(b, "nsslapd-cachememsize: 67108864")
		}
		blocks[i] = b
	}
	return strings.Join(blocks, "\n\n") + "\n\n"
}

// owner is whom the server runs as: nil is whoever runs the test.
func (s *DS389) owner() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("dirsrv")
	if err != nil {
		missing(s.tb, "the user dirsrv of "+ds389Packages+" is missing: "+err.Error())
	}
	uid, _ := strconv.ParseUint(who.Uid, 10, 32)
	gid, _ := strconv.ParseUint(who.Gid, 10, 32)
	if err := os.Chown(s.dir, int(uid), int(gid)); err != nil {
		s.tb.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *DS389) file(name string) string { return filepath.Join(s.dir, name) }

// as runs a tool as another user.
func (s *DS389) as(who *syscall.Credential, path string, args ...string) {
	s.tb.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "PATH="+s.file("bin")+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := cmd.CombinedOutput(); err != nil {
		s.tb.Fatalf("%s %s: %v\n%s", path, strings.Join(args, " "), err, out)
	}
}

func (s *DS389) write(name, text string, who *syscall.Credential) {
	s.tb.Helper()
	if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	if who != nil {
		if err := os.Chown(s.file(name), int(who.Uid), int(who.Gid)); err != nil {
			s.tb.Fatal(err)
		}
	}
}

// edit alters a file in place, so that its owner stays.
func (s *DS389) edit(name string, alter func(string) string) {
	s.tb.Helper()
	text, err := os.ReadFile(s.file(name))
	if err != nil {
		s.tb.Fatal(err)
	}
	if err := os.WriteFile(s.file(name), []byte(alter(string(text))), 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

// Admin returns a connection bound as the directory manager; the test closes it
// when it ends.
func (s *DS389) Admin() *ldap.Conn {
	s.tb.Helper()
	return bound(s.tb, s.URL, dsManager, dsPassword)
}

func (s *DS389) seed() {
	conn := s.Admin()
	add := func(dn string, attributes map[string][]string) {
		req := ldap.NewAddRequest(dn, nil)
		for name, values := range attributes {
			req.Attribute(name, values)
		}
		if err := conn.Add(req); err != nil {
			s.tb.Fatalf("add %s: %v", dn, err)
		}
	}
	for _, ou := range []string{"people", "groups"} {
		add("ou="+ou+","+DSBase, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {ou}})
	}
	person := func(dn, uid, cn string, more map[string][]string) {
		attributes := map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {cn}, "sn": {uid}, "mail": {uid + "@example.test"}}
		for name, values := range more {
			attributes[name] = values
		}
		add(dn, attributes)
	}
	person(dsReader, "reader", "reader", map[string][]string{
		"userPassword": {dsReaderPW}, "nsSizeLimit": {"-1"}, "nsLookThroughLimit": {"-1"}, "nsTimeLimit": {"-1"},
	})
	person("uid=alice,"+DSPeople, "alice", "Alice Ansel", nil)
	person("uid=bob,"+DSPeople, "bob", "Bob Brook", nil)
	person("uid=carol,"+DSPeople, "carol", "Carol Cole", map[string][]string{"nsAccountLock": {"true"}})
	person(`cn=Duval\, Zoë *(temp),`+DSPeople, "zoe", "Duval, Zoë *(temp)", nil)
	group := func(cn, class, attr string, members ...string) {
		add("cn="+cn+","+DSGroups, map[string][]string{"objectClass": {class}, "cn": {cn}, attr: members})
	}
	group("backend", "groupOfNames", "member", "uid=alice,"+DSPeople, "uid=bob,"+DSPeople)
	group("engineering", "groupOfNames", "member", "cn=backend,"+DSGroups)
	group("finance", "groupOfUniqueNames", "uniqueMember", "uid=carol,"+DSPeople, `cn=Duval\, Zoë *(temp),`+DSPeople)
	group("old-name", "groupOfNames", "member", "uid=bob,"+DSPeople)
	if err := conn.ModifyDN(ldap.NewModifyDNRequest("cn=old-name,"+DSGroups, "cn=platform team", true, "")); err != nil {
		s.tb.Fatal(err)
	}
	aci := ldap.NewModifyRequest(DSBase, nil)
	aci.Add("aci", []string{`(targetattr="*")(version 3.0; acl "read all"; allow (read,search,compare)(userdn="ldap:///all");)`})
	if err := conn.Modify(aci); err != nil {
		s.tb.Fatal(err)
	}
}

// Replicate makes the server a supplier of replication that has no consumer yet,
// and lets the reader see how far it is.
func (s *DS389) Replicate(id int) {
	s.tb.Helper()
	conn := s.Admin()
	found, err := conn.Search(ldap.NewSearchRequest("cn=mapping tree,cn=config", ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=nsMappingTree)", []string{"1.1"}, nil))
	if err != nil || len(found.Entries) != 1 {
		s.tb.Fatalf("finding the mapping of %s: %v", DSBase, err)
	}
	req := ldap.NewAddRequest("cn=replica,"+found.Entries[0].DN, nil)
	for name, value := range map[string]string{
		"objectClass": "nsDS5Replica", "cn": "replica", "nsDS5ReplicaRoot": DSBase, "nsDS5ReplicaId": strconv.Itoa(id),
		"nsDS5ReplicaType": "3", "nsDS5Flags": "1", "nsDS5ReplicaBindDN": "cn=replication manager,cn=config",
	} {
		req.Attribute(name, []string{value})
	}
	if err := conn.Add(req); err != nil {
		s.tb.Fatalf("making a replica: %v", err)
	}
	aci := ldap.NewModifyRequest(found.Entries[0].DN, nil)
	aci.Add("aci", []string{fmt.Sprintf(
		`(targetattr="objectClass || nsds50ruv")(version 3.0; acl "progress of replication"; allow (read,search,compare)(userdn="ldap:///%s");)`, dsReader)})
	if err := conn.Modify(aci); err != nil {
		s.tb.Fatal(err)
	}
}
