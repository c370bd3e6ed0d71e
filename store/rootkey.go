package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	rootKeyName = "root_key" // in meta
	rootKeyLen  = 32
	wrappedMark = "aes256gcm:" // before the nonce and the sealed key
	wrapPurpose = "usherd root key"
)

// makeRootKey makes the deployment's root key if there is none; of replicas
// that start together, the first one's is kept. A key that is kept bare is
// wrapped once there is something to wrap it with.
func (s *Store) makeRootKey(ctx context.Context) error {
	key := make([]byte, rootKeyLen)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("making the root key: %w", err)
	}
	fresh, err := s.wrapKey(key)
	if err != nil {
		return err
	}
	_, err = s.write.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, rootKeyName, fresh)
	if err != nil {
		return fmt.Errorf("keeping the root key: %w", err)
	}
	kept, err := s.keptKey(ctx)
	if err != nil {
		return err
	}
	if key, err = s.unwrapKey(kept); err != nil || s.wrap == nil || strings.HasPrefix(kept, wrappedMark) {
		return err
	}
	if fresh, err = s.wrapKey(key); err != nil {
		return err
	}
	_, err = s.write.ExecContext(ctx, `UPDATE meta SET value = $3 WHERE name = $1 AND value = $2`, rootKeyName, kept, fresh)
	if err != nil {
		return fmt.Errorf("wrapping the root key: %w", err)
	}
	return nil
}

// RootKey returns the deployment's root key, 32 bytes.
func (s *Store) RootKey(ctx context.Context) ([]byte, error) {
	kept, err := s.keptKey(ctx)
	if err != nil {
		return nil, err
	}
	return s.unwrapKey(kept)
}

func (s *Store) keptKey(ctx context.Context) (text string, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, rootKeyName).Scan(&text)
	if err != nil {
		return "", fmt.Errorf("reading the root key: %w", err)
	}
	return text, nil
}

// wrapKey returns a key as it is kept.
func (s *Store) wrapKey(key []byte) (string, error) {
	if s.wrap == nil {
		return hex.EncodeToString(key), nil
	}
	nonce := make([]byte, s.wrap.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("wrapping the root key: %w", err)
	}
	return wrappedMark + hex.EncodeToString(s.wrap.Seal(nonce, nonce, key, []byte(wrapPurpose))), nil
}

func (s *Store) unwrapKey(kept string) ([]byte, error) {
	sealed, wrapped := strings.CutPrefix(kept, wrappedMark)
	key, err := hex.DecodeString(sealed)
	switch {
	case err != nil:
		return nil, errors.New("the kept root key is damaged")
	case wrapped && s.wrap == nil:
		return nil, errors.New("the root key is wrapped: the key file that it was wrapped with is needed")
	case wrapped && len(key) > s.wrap.NonceSize():
		n := s.wrap.NonceSize()
		if key, err = s.wrap.Open(nil, key[:n], key[n:], []byte(wrapPurpose)); err != nil {
			return nil, errors.New("the root key was wrapped with another key file, or is damaged")
		}
	}
	if len(key) != rootKeyLen {
		return nil, errors.New("the kept root key is damaged")
	}
	return key, nil
}

// newWrap returns what wraps the root key under a secret, nil if there is none.
func newWrap(secret []byte) (cipher.AEAD, error) {
	if len(secret) == 0 {
		return nil, nil
	}
	key, err := hkdf.Key(sha256.New, secret, nil, wrapPurpose, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the wrapping key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing the wrapping key: %w", err)
	}
	return cipher.NewGCM(block)
}
