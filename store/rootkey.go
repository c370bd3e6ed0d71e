package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

const (
	rootKeyName = "root_key"
	rootKeyLen  = 32
)

// makeRootKey makes the deployment's root key if there is none. Of replicas
// that start together, the first one's is kept.
func (s *Store) makeRootKey(ctx context.Context) error {
	key := make([]byte, rootKeyLen)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("making the root key: %w", err)
	}
	_, err := s.write.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
		rootKeyName, hex.EncodeToString(key))
	if err != nil {
		return fmt.Errorf("keeping the root key: %w", err)
	}
	return nil
}

// RootKey returns the deployment's root key, 32 bytes.
func (s *Store) RootKey(ctx context.Context) ([]byte, error) {
	var text string
	err := s.read.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, rootKeyName).Scan(&text)
	if err != nil {
		return nil, fmt.Errorf("reading the root key: %w", err)
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != rootKeyLen {
		return nil, fmt.Errorf("the kept root key is damaged")
	}
	return key, nil
}
