package store

import (
	"database/sql"
	"time"
)

type writer struct{}

func newWriter(_ *sql.DB, _ dialect, _ func() time.Time) *writer { return &writer{} }

func (w *writer) close() {}
