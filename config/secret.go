package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// redacted stands wherever a secret would be printed.
const redacted = "[redacted]"

// A Secret is a password or key together with the place it came from. Only
// [Secret.Reveal] gives it away: fmt, JSON, YAML and loggers show that there is
// one, no more. The zero Secret is none.
type Secret struct {
	// value is behind a pointer so that fmt shows an address where it meets a
	// Secret in an unexported field and cannot call the methods below.
	value *string
	ref   string // file:…, credential:… or env:…
	path  string // the file that value was read from
}

// NewSecret returns a secret that came from nowhere in particular.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the secret itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == nil && s.ref == "" }

// Ref says where the secret is: file:PATH, credential:NAME or env:NAME. It is
// empty for a secret that was part of a URL.
func (s Secret) Ref() string { return s.ref }

// Path is the file that the secret was read from, for those who read it again
// later. It is empty if the secret came from elsewhere.
func (s Secret) Path() string { return s.path }

// String returns a fixed text, empty if there is no secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString is [Secret.String].
func (s Secret) GoString() string { return s.String() }

// Format writes [Secret.String] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is [Secret.String], for JSON, XML and loggers.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is [Secret.String] as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML is [Secret.String].
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// The ways to say where a secret is.
const (
	refFile       = "file:"
	refCredential = "credential:"
	refEnv        = "env:"
)

var errLiteralSecret = errors.New("a secret is not written here")

// parseSecretRef reads where a secret is, without reading the secret. Errors
// never repeat text: it may be the secret itself.
func parseSecretRef(text string) (Secret, error) {
	for _, scheme := range []string{refFile, refCredential, refEnv} {
		if rest, ok := strings.CutPrefix(text, scheme); ok {
			if rest == "" {
				return Secret{}, fmt.Errorf("%s names nothing", scheme)
			}
			return Secret{ref: text}, nil
		}
	}
	return Secret{}, errLiteralSecret
}

// resolve reads the secret that s refers to.
func (s Secret) resolve(lookup func(string) (string, bool)) (Secret, error) {
	if s.ref == "" || s.value != nil {
		return s, nil
	}
	var value string
	if name, ok := strings.CutPrefix(s.ref, refEnv); ok {
		if value, ok = lookup(name); !ok {
			return s, fmt.Errorf("no variable %s", name)
		}
	} else {
		path, err := s.file(lookup)
		if err != nil {
			return s, err
		}
		if value, err = readSecretFile(path, lookup); err != nil {
			return s, err
		}
		s.path = path
	}
	if value == "" {
		return s, errors.New("the secret is empty")
	}
	s.value = &value
	return s, nil
}

// file is the file that s refers to.
func (s Secret) file(lookup func(string) (string, bool)) (string, error) {
	if path, ok := strings.CutPrefix(s.ref, refFile); ok {
		return path, nil
	}
	name := strings.TrimPrefix(s.ref, refCredential)
	if name != filepath.Base(name) || name == "." || name == ".." {
		return "", errors.New("a credential is a name, not a path")
	}
	dir, ok := lookup("CREDENTIALS_DIRECTORY")
	if !ok || dir == "" {
		return "", errors.New("no CREDENTIALS_DIRECTORY: credential: works in a systemd unit with LoadCredential=")
	}
	return filepath.Join(dir, name), nil
}

const maxSecret = 64 << 10 // bytes

// readSecretFile reads a secret, without the newline that editors add.
func readSecretFile(path string, lookup func(string) (string, bool)) (string, error) {
	// Without O_NONBLOCK, opening a named pipe would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	if !mounted(path, lookup) {
		if err := private(info); err != nil {
			return "", fmt.Errorf("%s %w", path, err)
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	if len(text) > maxSecret {
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxSecret)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// mounted reports whether path is where systemd or a container engine puts
// secrets. They protect the folder and choose modes of their own.
func mounted(path string, lookup func(string) (string, bool)) bool {
	dirs := []string{"/run/secrets", "/var/run/secrets"}
	if dir, ok := lookup("CREDENTIALS_DIRECTORY"); ok && filepath.IsAbs(dir) {
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// private applies PostgreSQL's rule for key files: 0600 or less if the file is
// ours, 0640 or less if it is root's, nobody else's.
func private(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	switch open := info.Mode().Perm(); {
	case int(stat.Uid) == os.Geteuid() && open&0o077 == 0:
		return nil
	case stat.Uid == 0 && open&0o027 == 0:
		return nil
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return errors.New("belongs to another user; it must be yours or root's")
	default:
		return fmt.Errorf("has mode %04o and others can read it; chmod 600 it", open)
	}
}
