package ldapsync

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// maxPages ends a read whose pages hold next to nothing.
const maxPages = 100_000

// A search is one paged search of one subtree.
type search struct {
	what   string // "people", "groups": for errors
	base   string
	scope  int
	filter string
	attrs  []string
	page   int
	limit  int // entries
	ignore func(referral string) bool
}

// read yields every entry of a subtree to f, page by page, in bounded memory.
// It returns nil only with the proof that nothing was left out: the base
// exists; every page ended with success and a paged-results control; no page
// came twice; the last cookie was empty; no part of the tree is elsewhere.
//
// A cookie may come twice, for Samba gives all pages of a search the same one:
// so a server that goes in circles is known by what its pages begin with.
func (s *session) read(q search, f func(*ldap.Entry) error) error {
	if err := s.mustExist(q.base); err != nil {
		return err
	}
	var cookie []byte
	seen := map[string]bool{} // what pages began with
	for pages, entries := 1, 0; ; pages++ {
		result, err := s.page(q, cookie)
		if err != nil {
			return err
		}
		entries += len(result.Entries)
		if entries > q.limit {
			return incomplete(CauseLimit, "If that many are meant, raise maxEntries", "%s: more than %d entries under %s", q.what, q.limit, q.base)
		}
		if round(result, cookie, seen) || pages > maxPages {
			return incomplete(CausePaging, "See the server's log", "reading %s under %s: the server sends pages without end", q.what, q.base)
		}
		for _, e := range result.Entries {
			if err := f(e); err != nil {
				return err
			}
		}
		cookie, err = next(q, result)
		if err != nil || len(cookie) == 0 {
			return err
		}
	}
}

// round reports whether a page was seen before: by the DN it begins with, or, as
// pages may be empty, by the cookie that asked for it.
func round(page *ldap.SearchResult, cookie []byte, seen map[string]bool) bool {
	first := "\x00" + string(cookie)
	if len(page.Entries) > 0 {
		first = page.Entries[0].DN
	}
	again := seen[first]
	seen[first] = true
	return again
}

// page asks for one page. The request is made anew each time: go-ldap appends
// to the controls of a request, and keeps them.
func (s *session) page(q search, cookie []byte) (*ldap.SearchResult, error) {
	control := ldap.NewControlPaging(uint32(q.page))
	control.SetCookie(cookie)
	req := ldap.NewSearchRequest(q.base, q.scope, ldap.NeverDerefAliases, 0, 0, false, q.filter, q.attrs, []ldap.Control{control})
	var result *ldap.SearchResult
	err := s.do(func() (err error) {
		result, err = s.conn.Search(req)
		return err
	})
	if err != nil {
		return nil, requestError("reading "+q.what+" under "+q.base, err)
	}
	for _, ref := range result.Referrals {
		if !q.ignore(ref) {
			return nil, incomplete(CauseReferral, "It is not followed. Narrow the base, or list the referral's DN in ignoreReferrals if nobody wanted is there",
				"reading %s under %s: part of the tree is at %s", q.what, q.base, ref)
		}
	}
	return result, nil
}

// next returns the cookie for the page after result, empty if that was the last.
func next(q search, result *ldap.SearchResult) ([]byte, error) {
	control, ok := ldap.FindControl(result.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
	if !ok {
		return nil, incomplete(CausePaging, "The server ignores paged results (RFC 2696), so nothing proves that it sent everything",
			"reading %s under %s: no paged-results control in the answer", q.what, q.base)
	}
	return slices.Clone(control.Cookie), nil
}

// mustExist reads the base itself. A search under a base that does not exist
// fails on most servers, but one that cannot be seen may look empty.
func (s *session) mustExist(base string) error {
	req := ldap.NewSearchRequest(base, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil)
	var result *ldap.SearchResult
	err := s.do(func() (err error) {
		result, err = s.conn.Search(req)
		return err
	})
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		return incomplete(CauseBase, s.baseAdvice(), "the base %q does not exist on the server", base)
	case err != nil:
		return requestError("reading the base "+base, err)
	case len(result.Entries) != 1:
		return incomplete(CauseBase, "Give the bind account read access to it", "the base %q is not visible", base)
	}
	return nil
}

// baseAdvice says which bases there are, as far as the server tells.
func (s *session) baseAdvice() string {
	dse, err := s.rootDSE()
	if err != nil || len(dse.NamingContexts) == 0 {
		return "Check base, userBase and groupBase"
	}
	return "Check base, userBase and groupBase; the server holds " + strings.Join(dse.NamingContexts, " and ")
}

// A rootDSE is what a server says of itself (RFC 4512, section 5.1).
type rootDSE struct {
	Vendor         string
	NamingContexts []string
	Controls       []string
}

func (s *session) rootDSE() (rootDSE, error) {
	attrs := []string{"namingContexts", "supportedControl", "vendorName", "vendorVersion", "objectClass", "forestFunctionality"}
	req := ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", attrs, nil)
	var result *ldap.SearchResult
	err := s.do(func() (err error) {
		result, err = s.conn.Search(req)
		return err
	})
	if err != nil {
		return rootDSE{}, requestError("reading the root DSE", err)
	}
	if len(result.Entries) != 1 {
		return rootDSE{}, errors.New("the server has no root DSE")
	}
	e := result.Entries[0]
	return rootDSE{
		Vendor:         vendor(e),
		NamingContexts: e.GetEqualFoldAttributeValues("namingContexts"),
		Controls:       e.GetEqualFoldAttributeValues("supportedControl"),
	}, nil
}

// vendor guesses what software answers.
func vendor(e *ldap.Entry) string {
	name := e.GetEqualFoldAttributeValue("vendorName")
	switch classes := e.GetEqualFoldAttributeValues("objectClass"); {
	case strings.Contains(name, "389"), strings.Contains(name, "Red Hat"):
		return "389 Directory Server"
	case strings.Contains(name, "Samba"):
		return "Samba Active Directory"
	case e.GetEqualFoldAttributeValue("forestFunctionality") != "":
		return "Active Directory"
	case slices.Contains(classes, "OpenLDAProotDSE"):
		return "OpenLDAP"
	}
	return name
}
