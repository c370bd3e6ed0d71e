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

// tag is how the kind is written inside a token.
func (k TokenKind) tag() string {
	switch k {
	case TokenSCIM:
		return "scim"
	case TokenCheck:
		return "chk"
	case TokenAdmin:
		return "adm"
	}
	return string(k)
}

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
	body := "ush_" + kind.tag() + "_" + id + "_" + secret
	return id, secret, body + "_" + checksum(body)
}

// errNotAToken is made once: a token is parsed at every request.
var errNotAToken = fmt.Errorf("not a token of this daemon: %w", ErrInvalid)

// ParseToken takes a token apart. It is strict: length, alphabet, kind and
// checksum must be exact. It says nothing about whether the token is known.
func ParseToken(text string) (kind TokenKind, id, secret string, err error) {
	rest, ok := strings.CutPrefix(text, "ush_")
	tag, rest, found := strings.Cut(rest, "_")
	kind = kindOf(tag)
	if !ok || !found || kind == "" || len(rest) != tokenIDLen+tokenSecretLen+tokenSumLen+2 {
		return "", "", "", errNotAToken
	}
	id, secret, sum := rest[:tokenIDLen], rest[tokenIDLen+1:tokenIDLen+1+tokenSecretLen], rest[len(rest)-tokenSumLen:]
	body := text[:len(text)-tokenSumLen-1]
	if rest[tokenIDLen] != '_' || text[len(body)] != '_' || !only(id, isBase32) || !only(secret, isBase62) ||
		checksum(body) != sum {
		return "", "", "", errNotAToken
	}
	return kind, id, secret, nil
}

func kindOf(tag string) TokenKind {
	for _, kind := range [...]TokenKind{TokenCheck, TokenSCIM, TokenAdmin} {
		if kind.tag() == tag {
			return kind
		}
	}
	return ""
}

// HashToken returns what is kept of a token: an HMAC-SHA256 of its kind, id and
// secret under a key of the deployment.
func HashToken(key []byte, kind TokenKind, id, secret string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(string(kind) + "\x00" + id + "\x00" + secret)) // none of them holds a NUL
	return m.Sum(nil)
}

// only reports whether all bytes of s are digits.
func only(s string, digit func(byte) bool) bool {
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}

func isBase32(c byte) bool { return 'a' <= c && c <= 'z' || '2' <= c && c <= '7' }

func isBase62(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// checksum is the CRC-32 of body in base 62.
func checksum(body string) string {
	var buf [128]byte
	n := crc32.ChecksumIEEE(append(buf[:0], body...))
	var out [tokenSumLen]byte
	for i := range out {
		out[len(out)-1-i] = base62Digits[n%62]
		n /= 62
	}
	return string(out[:])
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
