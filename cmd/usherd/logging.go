package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/usherd/usherd/config"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLog makes the logger of the daemon. It writes to stderr; level may be
// changed while it is used.
func newLog(cfg config.Log, level zap.AtomicLevel) *zap.Logger {
	level.SetLevel(levelOf(cfg.Level))
	fields := zapcore.EncoderConfig{
		TimeKey: "ts", LevelKey: "level", NameKey: "logger", MessageKey: "msg", StacktraceKey: "stack",
		EncodeLevel: zapcore.LowercaseLevelEncoder, EncodeDuration: zapcore.MillisDurationEncoder,
		EncodeTime: zapcore.TimeEncoderOfLayout(time.RFC3339Nano), EncodeName: zapcore.FullNameEncoder,
	}
	encoder := zapcore.NewJSONEncoder(fields)
	if cfg.Format == "console" || cfg.Format == "auto" && isatty.IsTerminal(os.Stderr.Fd()) {
		fields.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		encoder = zapcore.NewConsoleEncoder(fields)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), level))
}

// redisLog takes what the Redis client has to say of its connections, which it
// would write to stderr as it likes.
type redisLog struct{ log *zap.Logger }

// Printf implements the logging of package redis.
func (l redisLog) Printf(_ context.Context, format string, args ...any) {
	l.log.Warn(fmt.Sprintf(format, args...))
}

func levelOf(name string) zapcore.Level {
	level, err := zapcore.ParseLevel(name)
	if err != nil {
		return zapcore.InfoLevel
	}
	return level
}
