package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// LoadOptions say where to look.
type LoadOptions struct {
	// Path is the file named by --config. If empty, the first of these is
	// read: $USHERD_CONFIG, ./usherd.yaml, $XDG_CONFIG_HOME/usherd/config.yaml,
	// /etc/usherd/usherd.yaml. No file at all is fine, unless one was named.
	Path string

	// Flags are the values given as flags, by key: "ops_listen".
	Flags map[string]string

	// Environ is the environment in the form of os.Environ. Nil means
	// os.Environ(). A caller that unsets the variables of [SecretVariables]
	// keeps the original for the next Load.
	Environ []string
}

// An Origin says where a value came from. The zero Origin is the default.
type Origin struct {
	From         string // file, $VARIABLE or --flag; empty for the default
	Line, Column int    // in a file, from 1
}

// String is file:line:column, $VARIABLE, --flag or default.
func (o Origin) String() string {
	switch {
	case o.From == "":
		return "default"
	case o.Line > 0:
		return fmt.Sprintf("%s:%d:%d", o.From, o.Line, o.Column)
	}
	return o.From
}

// Load reads, merges and validates the configuration. The error is [Errors],
// all faults at once; with any fault there is no Config.
func Load(o LoadOptions) (*Config, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	l := &loader{cfg: &Config{}, env: variables(o.Environ), origins: map[string]Origin{}}
	l.files(o.Path)
	l.environment()
	l.flags(o.Flags)
	l.finish()
	if len(l.errs) > 0 {
		return nil, l.errs.sorted()
	}
	return l.cfg, nil
}

// Origins says for each key with a value where it came from; keys that are not
// in it have their default.
func (c *Config) Origins() map[string]Origin { return c.origins }

// Warnings are what is allowed and probably not meant.
func (c *Config) Warnings() []Error { return c.warnings }

// Files are what a daemon watches to know when to load again: the files that
// were read, and conf.d if there is one. Without a file there are none.
func (c *Config) Files() []string { return c.files }

// loader is one Load.
type loader struct {
	cfg     *Config
	env     map[string]string
	origins map[string]Origin
	errs    Errors
}

func (l *loader) lookup(name string) (string, bool) {
	value, ok := l.env[name]
	return value, ok
}

// fault reports msg for path at the place where path, or the block around it,
// was set.
func (l *loader) fault(path, msg, hint string) {
	l.errs = append(l.errs, l.place(Error{Path: path, Msg: msg, Hint: hint}))
}

func (l *loader) place(e Error) Error {
	for at := e.Path; at != ""; at = parent(at) {
		if o, ok := l.origins[at]; ok {
			e.File, e.Line, e.Column = o.From, o.Line, o.Column
			break
		}
	}
	return e
}

// parent is the path of the block or list that path is in.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// files reads the main file and conf.d beside it.
func (l *loader) files(named string) {
	path, err := l.find(named)
	if err != nil {
		l.errs = append(l.errs, Error{File: path, Msg: err.Error()})
		return
	}
	if path == "" {
		return
	}
	l.cfg.files = append(l.cfg.files, path)
	l.file(path, true)
	dir := filepath.Join(filepath.Dir(path), "conf.d")
	entries, err := os.ReadDir(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.errs = append(l.errs, Error{File: dir, Msg: reason(err)})
		}
		return
	}
	l.cfg.files = append(l.cfg.files, dir)
	for _, e := range entries { // in the order of their names
		name := e.Name()
		switch ext := filepath.Ext(name); {
		case strings.HasPrefix(name, "."):
		case ext == ".yaml":
			l.cfg.files = append(l.cfg.files, filepath.Join(dir, name))
			l.file(filepath.Join(dir, name), false)
		case ext == ".yml":
			l.cfg.warnings = append(l.cfg.warnings, Error{File: filepath.Join(dir, name), Msg: "not read", Hint: "files of conf.d end in .yaml"})
		}
	}
}

// find returns the path of the main file, empty if there is none.
func (l *loader) find(named string) (string, error) {
	if named == "" {
		named = l.env["USHERD_CONFIG"]
	}
	if named != "" {
		_, err := os.Stat(named)
		return named, asReason(err)
	}
	candidates := []string{"usherd.yaml"}
	if dir := l.env["XDG_CONFIG_HOME"]; filepath.IsAbs(dir) {
		candidates = append(candidates, filepath.Join(dir, "usherd", "config.yaml"))
	}
	candidates = append(candidates, "/etc/usherd/usherd.yaml")
	for _, path := range candidates {
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		// A file that is there and cannot be read must not be passed over in
		// silence for the defaults.
		if !errors.Is(err, fs.ErrNotExist) {
			return path, asReason(err)
		}
	}
	return "", nil
}

const maxFile = 1 << 20 // bytes

// file reads one file into the configuration.
func (l *loader) file(path string, main bool) {
	text, err := readLimited(path, maxFile)
	if err != nil {
		l.errs = append(l.errs, Error{File: path, Msg: err.Error()})
		return
	}
	d := &decoder{file: path, origins: l.origins}
	if root := d.parse(text); root != nil {
		d.value(reflect.ValueOf(l.cfg).Elem(), field{}, root, "")
		if _, ok := l.origins["apiVersion"]; main && !ok && len(d.errs) == 0 {
			d.fault(root, "apiVersion", "begin the file with apiVersion: v1", "missing")
		}
	}
	l.errs = append(l.errs, d.errs...)
}

// readLimited reads a regular file of at most most bytes.
func readLimited(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, asReason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, asReason(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, asReason(err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("larger than %d bytes", most)
	}
	return text, nil
}

// asReason drops the path that the error's place gives already.
func asReason(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(reason(err))
}

func reason(err error) string {
	if perr, ok := errors.AsType[*fs.PathError](err); ok {
		return perr.Err.Error()
	}
	return err.Error()
}

// finish fills in defaults, reads the secrets and validates the whole. What
// has a fault already gets no second one: it is not what was written.
func (l *loader) finish() {
	faulty := map[string]bool{}
	for _, e := range l.errs {
		faulty[e.Path] = true
	}
	l.cfg.origins = l.origins
	for key := range leaves(l.cfg) {
		if err := l.finishLeaf(key); err != nil && !faulty[key.path] {
			faulty[key.path] = true
			l.fault(key.path, err.Error(), "")
		}
	}
	l.splitURL("store.url", &l.cfg.Store.URL, &l.cfg.Store.Password)
	l.splitURL("redis.url", &l.cfg.Redis.URL, &l.cfg.Redis.Password)
	for _, e := range l.cfg.Validate() {
		if !faulty[e.Path] {
			l.errs = append(l.errs, l.place(e))
		}
	}
	l.warn()
}

func (l *loader) finishLeaf(key leaf) (err error) {
	v := key.value()
	if s, ok := v.Addr().Interface().(*Secret); ok {
		*s, err = s.resolve(l.lookup)
		return err
	}
	return key.setDefault(v)
}

// SetDefaults gives every field that is zero its default. [Load] has done so.
func (c *Config) SetDefaults() {
	for leaf := range leaves(c) {
		if err := leaf.setDefault(leaf.value()); err != nil {
			panic("config: default of " + leaf.path + ": " + err.Error()) // a bug in the tags
		}
	}
}

// CheckFiles reports the files that c names and that cannot be read: what Load
// does not look at because only their users do.
func (c *Config) CheckFiles() Errors {
	l := &loader{cfg: c, origins: c.origins}
	for key := range leaves(c) {
		path, ok := key.value().Interface().(string)
		if !key.field.path || !ok || path == "" || key.path == "data" { // data is made when missing
			continue
		}
		if _, err := readLimited(path, maxReferred); err != nil {
			l.fault(key.path, path+": "+err.Error(), "")
		}
	}
	return l.errs
}

const maxReferred = 64 << 20 // bytes
