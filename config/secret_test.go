package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v4"
)

const canary = "canary-7f3a"

func TestSecretIsNeverPrinted(t *testing.T) {
	s := NewSecret(canary)
	open := struct{ Password Secret }{s}
	hidden := struct{ password Secret }{s} // fmt cannot call methods here
	whole := Config{Store: Store{Password: s}}

	var out bytes.Buffer
	for _, v := range []any{s, &s, open, &open, hidden, &hidden, []Secret{s}, map[string]Secret{"k": s}, whole, &whole} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&out, verb, v)
		}
		if text, err := json.Marshal(v); err == nil {
			out.Write(text)
		}
		if text, err := yaml.Dump(v); err == nil {
			out.Write(text)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		for _, enc := range []zapcore.Encoder{zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())} {
			log := zap.New(zapcore.NewCore(enc, zapcore.AddSync(&out), zap.DebugLevel))
			log.Info("m", zap.Any("v", v), zap.Reflect("r", v), zap.Stringer("s", s))
			log.Sugar().Infow("m", "v", v)
			log.Sugar().Infof("%+v", v)
		}
	}
	hex := fmt.Sprintf("%x", canary)
	if got := out.String(); strings.Contains(got, canary) || strings.Contains(strings.ToLower(got), hex) {
		t.Errorf("the secret was printed:\n%s", got)
	}
	if n := strings.Count(out.String(), redacted); n < 50 {
		t.Errorf("%q was printed %d times, want the places of the secret to be seen", redacted, n)
	}
	if s.Reveal() != canary {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
	if (Secret{}).String() != "" || !(Secret{}).IsZero() || !NewSecret("").IsZero() {
		t.Error("the zero Secret is not none")
	}
}

// secretFile makes a file of mode and returns its name.
func secretFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(write(t, map[string]string{"pw": content}), "pw")
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecretFiles(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	groupReadable := ""
	if os.Geteuid() != 0 { // root's files may be read by their group
		groupReadable = "others can read it"
	}
	tests := []struct {
		name, path string
		want       string // the secret
		fault      string // or part of the error
	}{
		{"a newline at the end is not part of it", secretFile(t, "s3cret\n", 0o600), "s3cret", ""},
		{"nor is that of another system", secretFile(t, "s3cret\r\n", 0o400), "s3cret", ""},
		{"spaces are part of it", secretFile(t, " s3 cret ", 0o600), " s3 cret ", ""},
		{"empty", secretFile(t, "", 0o600), "", "empty"},
		{"a newline only", secretFile(t, "\n\n", 0o600), "", "empty"},
		{"readable by all", secretFile(t, "x", 0o644), "", "others can read it"},
		{"writable by the group", secretFile(t, "x", 0o620), "", "others can read it"},
		{"readable by the group", secretFile(t, "s3cret", 0o640), "s3cret", groupReadable},
		{"missing", "/nonexistent/pw", "", "no such file"},
		{"a folder", t.TempDir(), "", "not a regular file"},
		{"a named pipe does not block", fifo, "", "not a regular file"},
		{"a device", "/dev/zero", "", "not a regular file"},
		{"too large", secretFile(t, strings.Repeat("x", maxSecret+1), 0o600), "", "larger than"},
		{"just not too large", secretFile(t, strings.Repeat("x", maxSecret), 0o600), strings.Repeat("x", maxSecret), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ref, err := parseSecretRef("file:" + tt.path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ref.resolve(func(string) (string, bool) { return "", false })
			if tt.fault == "" && (err != nil || got.Reveal() != tt.want) {
				t.Errorf("resolve(%s) = %q, %v, want %q", tt.path, got.Reveal(), err, tt.want)
			}
			if tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
				t.Errorf("resolve(%s) = %v, want an error with %q", tt.path, err, tt.fault)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	// systemd's folder is readable by the unit's user only; the modes in it are
	// not ours to judge.
	path := secretFile(t, "s3cret\n", 0o444)
	environ := []string{"CREDENTIALS_DIRECTORY=" + filepath.Dir(path)}
	dir := write(t, map[string]string{"usherd.yaml": "apiVersion: v1\nredis: {url: \"redis://r\", password: \"credential:pw\"}\n"})
	c := mustLoad(t, LoadOptions{Path: filepath.Join(dir, "usherd.yaml"), Environ: environ})
	if got := c.Redis.Password.Reveal(); got != "s3cret" {
		t.Errorf("credential:pw = %q, want s3cret", got)
	}
	// A secret that is rotated on disk is the new one at the next Load.
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("rotated"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := mustLoad(t, LoadOptions{Path: filepath.Join(dir, "usherd.yaml"), Environ: environ})
	if changes := again.Diff(c); len(changes) != 1 || changes[0].Path != "redis.password" || strings.Contains(fmt.Sprint(changes), "rotated") {
		t.Errorf("Diff after rotation = %v, want redis.password without its value", changes)
	}
}

func TestSecretFileBesideTheConfiguration(t *testing.T) {
	dir := write(t, map[string]string{
		"usherd.yaml": "apiVersion: v1\nredis: {url: \"redis://r\", password: \"file:pw\"}\n",
		"pw":          "s3cret\n",
	})
	c := mustLoad(t, LoadOptions{Path: filepath.Join(dir, "usherd.yaml")})
	if got := c.Redis.Password.Reveal(); got != "s3cret" {
		t.Errorf("file:pw = %q, want that of the file beside usherd.yaml", got)
	}
}
