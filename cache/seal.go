package cache

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/usherd/usherd/directory"
)

// format is the version of what stands in Redis: of names, values and
// messages. Another version has other names, and other keys.
const format = "1"

// An entry in Redis is a head in the clear, so that a script can compare two,
// and a sealed body. The head is
//
//	format, revision (16 hex digits), fingerprint (16 hex digits), nonce
//
// The body seals the encoded key and the subject; head and name are
// authenticated with it.
const (
	stampLen = 32
	headLen  = len(format) + stampLen + chacha20poly1305.NonceSizeX
	maxEntry = 64 << 10
)

// An entryID tells one entry from every other: its head.
type entryID string

// A sealer turns keys into names and subjects into entries, under keys that
// are derived from the deployment's root key.
type sealer struct {
	nameKey []byte
	pushKey []byte
	body    cipher.AEAD
}

func newSealer(root []byte) (*sealer, error) {
	if len(root) < 32 {
		return nil, errors.New("root key is shorter than 32 bytes")
	}
	derive := func(use string) ([]byte, error) {
		return hkdf.Key(sha256.New, root, nil, "usherd redis "+format+" "+use, 32)
	}
	name, err1 := derive("names")
	push, err2 := derive("messages")
	seal, err3 := derive("entries")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("deriving keys: %w", err)
	}
	body, err := chacha20poly1305.NewX(seal)
	if err != nil {
		return nil, fmt.Errorf("deriving keys: %w", err)
	}
	return &sealer{name, push, body}, nil
}

// name is what a key is called in Redis. It tells nothing of the key.
func (s *sealer) name(key directory.SubjectKey) string {
	m := hmac.New(sha256.New, s.nameKey)
	m.Write(key.Encode())
	return "usherd:" + format + ":" + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// seal makes an entry.
func (s *sealer) seal(name string, key directory.SubjectKey, sub *directory.Subject) ([]byte, error) {
	text, err := json.Marshal(sub)
	if err != nil {
		return nil, fmt.Errorf("encoding a subject: %w", err)
	}
	out := make([]byte, 0, headLen+len(text)+512)
	out = append(out, format...)
	out = fmt.Appendf(out, "%016x%016x", uint64(sub.At.Revision), uint64(sub.At.Fingerprint))
	out = out[:headLen]
	nonce := out[headLen-chacha20poly1305.NonceSizeX:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("making a nonce: %w", err)
	}
	asked := key.Encode()
	body := binary.AppendUvarint(nil, uint64(len(asked)))
	body = append(append(body, asked...), text...)
	out = s.body.Seal(out, nonce, body, bound(name, out))
	if len(out) > maxEntry {
		return nil, errors.New("subject is too large for an entry")
	}
	return out, nil
}

// open takes an entry apart. Whatever is not exactly what seal made for this
// name and key is an error.
func (s *sealer) open(name string, key directory.SubjectKey, entry []byte) (*directory.Subject, error) {
	if len(entry) < headLen || len(entry) > maxEntry || string(entry[:len(format)]) != format {
		return nil, errors.New("not an entry of this version")
	}
	head := entry[:headLen]
	nonce := head[headLen-chacha20poly1305.NonceSizeX:]
	body, err := s.body.Open(nil, nonce, entry[headLen:], bound(name, head))
	if err != nil {
		return nil, errors.New("entry was not made by this deployment")
	}
	n, used := binary.Uvarint(body)
	if used <= 0 || n > uint64(len(body)-used) || !bytes.Equal(body[used:used+int(n)], key.Encode()) {
		return nil, errors.New("entry is of another key")
	}
	sub := &directory.Subject{}
	if err := json.Unmarshal(body[used+int(n):], sub); err != nil {
		return nil, fmt.Errorf("decoding a subject: %w", err)
	}
	if string(head[len(format):][:stampLen]) != fmt.Sprintf("%016x%016x", uint64(sub.At.Revision), uint64(sub.At.Fingerprint)) {
		return nil, errors.New("entry has two stamps")
	}
	return sub, nil
}

// bound is what an entry's seal covers besides the body.
func bound(name string, head []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(name)))
	return append(append(b, name...), head...)
}

// message tells other replicas of a stamp; channel is where.
func (s *sealer) message(stamp directory.Stamp) string {
	m := hmac.New(sha256.New, s.pushKey)
	m.Write([]byte(stamp.String()))
	return stamp.String() + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// channel is named by the deployment's key, so that two that share a Redis do
// not wake each other.
func (s *sealer) channel() string {
	m := hmac.New(sha256.New, s.pushKey)
	m.Write([]byte("channel"))
	return "usherd:" + format + ":head:" + base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:12])
}

// readMessage returns the stamp of a message that a replica of this deployment
// sent.
func (s *sealer) readMessage(text string) (directory.Stamp, bool) {
	const tail = 1 + 22
	if len(text) < tail || len(text) > 64+tail {
		return directory.Stamp{}, false
	}
	stamp, err := directory.ParseStamp(text[:len(text)-tail])
	return stamp, err == nil && hmac.Equal([]byte(text), []byte(s.message(stamp)))
}
