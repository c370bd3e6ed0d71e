package admin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// How long the answer to an Idempotency-Key is kept, and how long a request
// counts as being performed whose process ended.
const (
	idempotencySpace = "idempotency"
	keptAnswerLife   = 24 * time.Hour
	inFlightLife     = 15 * time.Minute
	maxKeyLen        = 255
)

// An attempt is what is kept of a request with an Idempotency-Key. The answer
// may hold the text of a token, so it is sealed with a key that only whoever
// knows the Idempotency-Key can derive.
type attempt struct {
	Print  string `json:"print"` // hash of what was asked
	Done   bool   `json:"done"`
	Sealed []byte `json:"sealed,omitempty"` // absent if it was too large
}

// once performs a POST that carries an Idempotency-Key once
// (draft-ietf-httpapi-idempotency-key-header-07): the same again gets the same
// answer. Answers that say that it was not tried are not kept.
func (a *API) once(c call, perform func() rendered) rendered {
	key := c.Header.Get("Idempotency-Key")
	if key == "" || c.Method != http.MethodPost || dryRun(c.Context()) {
		return perform()
	}
	body, err := c.rewound()
	switch {
	case err != nil:
		return a.failure(c, err)
	case len(key) > maxKeyLen:
		return a.failure(c, invalid("Idempotency-Key: longer than %d bytes", maxKeyLen))
	}
	mine := attempt{Print: hashOf(c.Method, c.URL.RequestURI(), string(body))}
	record := directory.Kept{Space: idempotencySpace, Key: hashOf(c.by.Kind, c.by.Name, c.by.Token, key), Expires: a.Service.Now().Add(inFlightLife)}
	if record.Value, err = json.Marshal(mine); err != nil {
		return a.failure(c, err)
	}
	kept, err := a.Service.Store.PutKept(c.Context(), record)
	if errors.Is(err, directory.ErrVersion) {
		return a.again(c, key, record.Key, mine)
	}
	if err != nil {
		return a.failure(c, err)
	}
	done := false
	defer func() {
		if !done { // it panicked
			a.forget(c, kept)
		}
	}()
	out := perform()
	done = true
	a.remember(c, key, kept, mine, out)
	return out
}

// rewound reads the whole body and puts it back.
func (c call) rewound() ([]byte, error) {
	if c.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, c.Body, maxBody))
	if err != nil {
		return nil, badBody(err)
	}
	c.Body, c.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return body, nil
}

// again answers a key that was seen before.
func (a *API) again(c call, key, name string, mine attempt) rendered {
	record, err := a.Service.Store.Kept(c.Context(), idempotencySpace, name)
	if errors.Is(err, directory.ErrNotFound) {
		return a.failure(c, errInFlight) // it failed just now: ask again
	}
	var first attempt
	if err == nil {
		err = json.Unmarshal(record.Value, &first)
	}
	switch {
	case err != nil:
		return a.failure(c, err)
	case first.Print != mine.Print:
		return a.failure(c, errKeyReused)
	case !first.Done:
		return a.failure(c, errInFlight)
	case first.Sealed == nil:
		return a.failure(c, fmt.Errorf("%w: the request was performed; its answer was too large to be kept", directory.ErrExists))
	}
	out, err := a.Service.openAnswer(key, first.Sealed)
	if err != nil {
		return a.failure(c, err)
	}
	out.Header.Set("Idempotency-Replayed", "true")
	return out
}

// remember keeps an answer.
func (a *API) remember(c call, key string, kept directory.Kept, mine attempt, out rendered) {
	if out.Status >= http.StatusInternalServerError || out.Status == http.StatusForbidden || out.Status == http.StatusTooManyRequests {
		a.forget(c, kept)
		return
	}
	mine.Done = true
	sealed, err := a.Service.sealAnswer(key, out)
	if len(sealed) < directory.MaxKept/2 { // base64 makes it longer
		mine.Sealed = sealed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), 10*time.Second)
	defer cancel()
	kept.Expires = a.Service.Now().Add(keptAnswerLife)
	value, merr := json.Marshal(mine)
	if err = cmp.Or(err, merr); err == nil {
		kept.Value = value
		_, err = a.Service.Store.PutKept(ctx, kept)
	}
	if err != nil {
		a.Log.Warn("keeping the answer to an Idempotency-Key", zap.String("request_id", c.id), zap.Error(err))
	}
}

func (a *API) forget(c call, kept directory.Kept) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), 10*time.Second)
	defer cancel()
	if err := a.Service.Store.DropKept(ctx, kept.Space, kept.Key); err != nil && !errors.Is(err, directory.ErrNotFound) {
		a.Log.Warn("forgetting an Idempotency-Key", zap.String("request_id", c.id), zap.Error(err))
	}
}

// answerSeal is the cipher of the answers to one key.
func (s *Service) answerSeal(key string) (cipher.AEAD, error) {
	secret, err := hkdf.Key(sha256.New, s.TokenKey, nil, "usherd idempotent answer v1\x00"+key, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

func (s *Service) sealAnswer(key string, out rendered) ([]byte, error) {
	plain, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	aead, err := s.answerSeal(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, plain, nil), nil
}

func (s *Service) openAnswer(key string, sealed []byte) (out rendered, err error) {
	aead, err := s.answerSeal(key)
	if err != nil {
		return out, err
	}
	if len(sealed) < aead.NonceSize() {
		return out, errors.New("a kept answer is damaged")
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	if err != nil {
		return out, errors.New("a kept answer is damaged")
	}
	return out, json.Unmarshal(plain, &out)
}

// hashOf is a hash of texts that no other texts have.
func hashOf(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(h, "%d:%s", len(text), text) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}
