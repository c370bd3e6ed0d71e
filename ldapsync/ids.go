package ldapsync

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// stableID reads the value of the id attribute. Active Directory's objectGUID
// is 16 raw bytes; every other id is text, folded to lower case as UUIDs are.
func stableID(attribute string, value []byte) (string, error) {
	if strings.EqualFold(attribute, "objectGUID") {
		return guidString(value)
	}
	id := strings.ToLower(strings.TrimSpace(string(value)))
	if id == "" || len(id) > 255 || !utf8.Valid(value) {
		return "", errors.New("the id is empty, too long or not text")
	}
	return id, nil
}

// guidString writes a GUID as Windows shows it: the first three fields are
// little-endian ([MS-DTYP], section 2.3.4.2).
func guidString(b []byte) (string, error) {
	if len(b) != 16 {
		return "", fmt.Errorf("objectGUID has %d bytes, not 16", len(b))
	}
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]),
		binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:]), nil
}

// sidString writes a security identifier ([MS-DTYP], sections 2.4.2.1, 2.4.2.2).
func sidString(b []byte) (string, error) {
	if len(b) < 8 || b[0] != 1 || len(b) != 8+4*int(b[1]) || b[1] > 15 {
		return "", errors.New("objectSid is malformed")
	}
	var authority uint64
	for _, c := range b[2:8] {
		authority = authority<<8 | uint64(c)
	}
	out := "S-1-" + strconv.FormatUint(authority, 10)
	for i := 8; i < len(b); i += 4 {
		out += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b[i:])), 10)
	}
	return out, nil
}

// primarySID is the SID of the primary group of the account with this SID: the
// same domain, with the relative id of primaryGroupID.
func primarySID(account, rid string) (string, error) {
	if _, err := strconv.ParseUint(rid, 10, 32); err != nil {
		return "", fmt.Errorf("primaryGroupID %q is not a number", rid)
	}
	i := strings.LastIndexByte(account, '-')
	if i < 0 {
		return "", errors.New("objectSid is missing")
	}
	return account[:i+1] + rid, nil
}
