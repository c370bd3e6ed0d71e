package directory

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
	"time"
)

// A TokenKind says what a token opens. A token has one kind.
type TokenKind string

// The kinds of token.
const (
	TokenSCIM  TokenKind = "scim"  // one source's SCIM endpoint
	TokenCheck TokenKind = "check" // the check API
	TokenAdmin TokenKind = "admin" // the administration API
)

// kindTags are how the kinds are written inside a token.
var kindTags = map[TokenKind]string{TokenSCIM: "scim", TokenCheck: "chk", TokenAdmin: "adm"}

// A Token is what is known of a token without its secret.
type Token struct {
	ID      string     `json:"id"`
	Kind    TokenKind  `json:"kind"`
	Name    string     `json:"name"`
	Source  SourceName `json:"source,omitempty"` // scim tokens only
	Scopes  []string   `json:"scopes,omitempty"` // check tokens; empty means evaluate
	Created time.Time  `json:"created"`
	Expires time.Time  `json:"expires"`
	Revoked time.Time  `json:"revoked,omitzero"`
}

// A KeptToken is a token with the hash of its secret.
type KeptToken struct {
	Token
	Hash []byte
}

// The form of a token is ush_<kind>_<id>_<secret>_<checksum>.
const (
	tokenIDLen     = 10 // lower-case base 32
	tokenSecretLen = 43 // base 62, 256 bits
	tokenSumLen    = 6  // base 62, CRC-32 of what stands before it
	base32Digits   = "abcdefghijklmnopqrstuvwxyz234567"
	base62Digits   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewToken makes a token of a kind: its public id, its secret, and the text to
// hand out, which is shown once.
func NewToken(kind TokenKind) (id, secret, text string) {
	id, secret = randomDigits(base32Digits, tokenIDLen), randomDigits(base62Digits, tokenSecretLen)
	body := "ush_" + kindTags[kind] + "_" + id + "_" + secret
	return id, secret, body + "_" + checksum(body)
}

// ParseToken takes a token apart. It is strict: length, alphabet, kind and
// checksum must be exact. It says nothing about whether the token is known.
func ParseToken(text string) (kind TokenKind, id, secret string, err error) {
	bad := fmt.Errorf("not a token of this daemon: %w", ErrInvalid)
	if len(text) > 100 {
		return "", "", "", bad
	}
	parts := strings.Split(text, "_")
	if len(parts) != 5 || parts[0] != "ush" || len(parts[2]) != tokenIDLen || len(parts[3]) != tokenSecretLen ||
		!only(parts[2], base32Digits) || !only(parts[3], base62Digits) {
		return "", "", "", bad
	}
	if body := strings.TrimSuffix(text, "_"+parts[4]); parts[4] != checksum(body) {
		return "", "", "", bad
	}
	for k, tag := range kindTags {
		if tag == parts[1] {
			return k, parts[2], parts[3], nil
		}
	}
	return "", "", "", bad
}

// HashToken returns what is kept of a token: an HMAC-SHA256 of its kind, id and
// secret under a key of the deployment.
func HashToken(key []byte, kind TokenKind, id, secret string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(string(kind) + "\x00" + id + "\x00" + secret)) // none of them holds a NUL
	return m.Sum(nil)
}

func only(s, digits string) bool { return strings.Trim(s, digits) == "" }

func checksum(body string) string {
	n := crc32.ChecksumIEEE([]byte(body))
	out := make([]byte, tokenSumLen)
	for i := range out {
		out[len(out)-1-i] = base62Digits[n%62]
		n /= 62
	}
	return string(out)
}

func randomDigits(digits string, n int) string {
	out := make([]byte, n)
	for i := range out {
		d, err := rand.Int(rand.Reader, big.NewInt(int64(len(digits))))
		if err != nil { // crypto/rand never fails on supported systems
			panic("directory: no randomness: " + err.Error())
		}
		out[i] = digits[d.Int64()]
	}
	return string(out)
}
