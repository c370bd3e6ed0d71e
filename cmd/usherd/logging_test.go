package main

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestRedisLog: what the Redis client says of its connections is a record of the
// log like any other.
func TestRedisLog(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	redisLog{zap.New(core)}.Printf(t.Context(), "failed to dial after %d attempts", 1)
	all := logs.All()
	if len(all) != 1 || all[0].Message != "failed to dial after 1 attempts" || all[0].Level != zap.WarnLevel {
		t.Errorf("logged %v", all)
	}
}
