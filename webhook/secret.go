package webhook

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// secretPrefix begins the text of a secret; the rest is base64.
const secretPrefix = "whsec_"

// newSecret makes a secret of 32 bytes and its text.
func newSecret() (raw []byte, text string, err error) {
	raw = make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, "", fmt.Errorf("making a secret: %w", err)
	}
	return raw, secretPrefix + base64.StdEncoding.EncodeToString(raw), nil
}

// Sign returns the signature of a message: version 1, HMAC-SHA256.
func Sign(secret []byte, id string, at time.Time, body []byte) string {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	m.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// Verify checks a message as a receiver does: one of the signatures must be
// right, in constant time, and the timestamp within 5 minutes of now.
func Verify(secret, id, timestamp, signatures string, body []byte, now time.Time) error {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil {
		return errors.New("webhook: not a secret")
	}
	unix, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errors.New("webhook: not a timestamp")
	}
	at := time.Unix(unix, 0)
	if now.Sub(at).Abs() > 5*time.Minute {
		return errors.New("webhook: the timestamp is not of now")
	}
	want := Sign(raw, id, at, body)
	for one := range strings.SplitSeq(signatures, " ") {
		if hmac.Equal([]byte(one), []byte(want)) {
			return nil
		}
	}
	return errors.New("webhook: no signature is right")
}

// seal encrypts a secret for the record of an endpoint.
func seal(key []byte, endpoint string, plain []byte) ([]byte, error) {
	aead, err := sealer(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("making a nonce: %w", err)
	}
	return aead.Seal(nonce, nonce, plain, []byte(endpoint)), nil
}

func unseal(key []byte, endpoint string, sealed []byte) ([]byte, error) {
	aead, err := sealer(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("a kept secret is damaged")
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(endpoint))
	if err != nil {
		return nil, errors.New("a kept secret is damaged, or of another deployment")
	}
	return plain, nil
}

func sealer(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return cipher.NewGCM(block)
}
