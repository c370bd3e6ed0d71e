package config

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const envPrefix = "USHERD_"

// otherVariables begin with USHERD_ and are not keys.
var otherVariables = []string{"USHERD_CONFIG", "USHERD_SERVER", "USHERD_TOKEN", "USHERD_TOKEN_FILE"}

// serviceLinks are the variables that Kubernetes makes for a service called
// usherd or usherd-something, in every pod of its namespace.
var serviceLinks = regexp.MustCompile(`^USHERD_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// leaf is a key with a value of its own, in one Config.
type leaf struct {
	field
	path  string
	env   []string // the variable, then its short form if there is one
	value func() reflect.Value
}

// setDefault fills in the tag's default if v is zero.
func (l leaf) setDefault(v reflect.Value) error {
	if l.def == "" || !v.IsZero() {
		return nil
	}
	return l.setText(v, l.def)
}

// set gives the leaf what a variable or flag says; lists are split.
func (l leaf) set(text string) error {
	v := l.value()
	if v.Kind() != reflect.Slice {
		return l.setText(v, text)
	}
	items := reflect.MakeSlice(v.Type(), 0, 1)
	for part := range strings.SplitSeq(text, l.sep) {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := l.setText(item, strings.TrimSpace(part)); err != nil {
			return err
		}
		items = reflect.Append(items, item)
	}
	v.Set(items)
	return nil
}

// leaves yields every key of c that has a value of its own, those of the
// sources in c included.
func leaves(c *Config) iter.Seq[leaf] {
	return func(yield func(leaf) bool) {
		walk(reflect.ValueOf(c).Elem(), spot{env: []string{strings.TrimSuffix(envPrefix, "_")}}, yield)
	}
}

// spot is where in a Config a block is.
type spot struct {
	path    string
	env     []string // its variable, then the short form
	short   string   // the key that the short form sets
	restart bool
}

// key is where the key f of the block at s is.
func (s spot) key(f field) spot {
	sub := spot{join(s.path, f.key), nil, f.shorthand, s.restart || f.restart}
	if len(s.env) == 0 {
		return sub
	}
	sub.env = []string{s.env[0] + "_" + variable(f.key)}
	if f.key == s.short {
		sub.env = append(sub.env, s.env[0])
	}
	return sub
}

// walk yields the leaves of the block v until yield has enough.
func walk(v reflect.Value, s spot, yield func(leaf) bool) bool {
	for _, f := range fieldsOf(v.Type()) {
		at, sub := v.Field(f.index), s.key(f)
		var more bool
		switch {
		case isBlock(f.typ):
			more = walk(at, sub, yield)
		case f.typ.Kind() == reflect.Slice && isBlock(f.typ.Elem()):
			more = walkList(at, sub, yield)
		case f.typ.Kind() == reflect.Pointer:
			more = at.IsNil() || walk(at.Elem(), sub, yield)
		default:
			f.restart = sub.restart
			more = yield(leaf{f, sub.path, sub.env, func() reflect.Value { return at }})
		}
		if !more {
			return false
		}
	}
	return true
}

// walkList yields the leaves of each block of the list v. Its variables go by
// the block's name, not by its place; blocks without a name have none.
func walkList(v reflect.Value, s spot, yield func(leaf) bool) bool {
	for i := range v.Len() {
		item := v.Index(i)
		sub := spot{fmt.Sprintf("%s[%d]", s.path, i), nil, "", s.restart}
		if name := item.FieldByName("Name"); name.IsValid() && len(s.env) > 0 {
			sub.env = []string{s.env[0] + "_" + variable(name.String())}
		}
		if !walk(item, sub, yield) {
			return false
		}
	}
	return true
}

// variable turns a key or name into its part of a variable's name: corp-ad is
// CORP_AD, apiVersion is API_VERSION, memberUIDs is MEMBER_UIDS.
func variable(key string) string {
	var b strings.Builder
	lower := false // the rune before was
	for _, r := range key {
		if lower && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		lower = unicode.IsLower(r)
		if r == '-' {
			r = '_'
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// variables turns os.Environ's form into a map; the first of two wins, as in
// os.Getenv.
func variables(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, kv := range environ {
		key, value, ok := strings.Cut(kv, "=")
		if _, twice := env[key]; ok && !twice {
			env[key] = value
		}
	}
	return env
}

// environment applies the variables and reports those that mean nothing.
func (l *loader) environment() {
	known := map[string]bool{}
	for leaf := range leaves(l.cfg) {
		var used string
		for _, name := range leaf.variables() {
			known[name] = true
			if text, ok := l.env[name]; ok && (text != "" || leaf.isSecret()) {
				if used != "" {
					l.errs = append(l.errs, Error{File: "$" + name, Path: leaf.path, Msg: "set by $" + used + " too"})
					continue
				}
				used = name
				l.fromVariable(leaf, name, text)
			}
		}
	}
	l.strangers(known)
}

// variables are the names under which a leaf can be set.
func (l leaf) variables() []string {
	names := slices.Clone(l.env)
	for _, name := range l.env {
		names = append(names, name+"_FILE")
	}
	return names
}

func (l leaf) isSecret() bool { return l.typ == reflect.TypeFor[Secret]() }

// fromVariable sets a leaf from one variable.
func (l *loader) fromVariable(leaf leaf, name, text string) {
	origin := Origin{From: "$" + name}
	l.origins[leaf.path] = origin
	var err error
	switch inFile := strings.HasSuffix(name, "_FILE") && !slices.Contains(leaf.env, name); {
	case leaf.isSecret():
		err = leaf.setSecret(name, text, inFile)
	case inFile && !leaf.field.path: // the variable of a file name is one already
		var content []byte
		if content, err = readLimited(text, maxSecret); err == nil {
			err = leaf.set(strings.TrimRight(string(content), "\r\n"))
		}
	default:
		err = leaf.set(text)
	}
	if err != nil {
		l.errs = append(l.errs, Error{File: origin.From, Path: leaf.path, Msg: err.Error()})
	}
}

// setSecret takes a secret from a variable: the secret itself, or where it is.
func (l leaf) setSecret(name, text string, inFile bool) error {
	s := l.value().Addr().Interface().(*Secret)
	switch {
	case text == "":
		return errors.New("the secret is empty")
	case inFile:
		*s = Secret{ref: refFile + text}
	default:
		ref, err := parseSecretRef(text)
		if err != nil { // not a place, so it is the secret
			ref = Secret{value: &text, ref: refEnv + name}
		}
		*s = ref
	}
	return nil
}

// strangers reports variables that look like ours and are not.
func (l *loader) strangers(known map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		switch {
		case !strings.HasPrefix(name, envPrefix), known[name]:
		case slices.Contains(otherVariables, name), strings.HasPrefix(name, "USHERD_TEST_"), serviceLinks.MatchString(name):
		default:
			l.errs = append(l.errs, Error{File: "$" + name, Msg: "no such key", Hint: didYouMean(name, slices.Sorted(maps.Keys(known)))})
		}
	}
}

// flags applies the values given as flags. They win over all else.
func (l *loader) flags(flags map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		origin := "--" + strings.NewReplacer("_", "-", ".", "-").Replace(key)
		found := false
		for leaf := range leaves(l.cfg) {
			if leaf.path != key && (len(leaf.env) < 2 || parent(leaf.path) != key) {
				continue
			}
			found = true
			l.origins[leaf.path] = Origin{From: origin}
			err := errors.New("a secret is not given as a flag: every user of the machine can read it")
			if !leaf.isSecret() {
				err = leaf.set(flags[key])
			}
			if err != nil {
				l.errs = append(l.errs, Error{File: origin, Path: leaf.path, Msg: err.Error()})
			}
		}
		if !found {
			l.errs = append(l.errs, Error{File: origin, Msg: "no such key"})
		}
	}
}

// SecretVariables names the variables of environ that hold a secret, so that a
// daemon can unset them once they are read and no child inherits them.
func SecretVariables(environ []string, c *Config) []string {
	env := variables(environ)
	var names []string
	for leaf := range leaves(c) {
		for _, name := range leaf.env {
			if _, ok := env[name]; ok && (leaf.isSecret() || leaf.path == "store.url" || leaf.path == "redis.url") {
				names = append(names, name)
			}
		}
	}
	return append(names, onlySet(env, "USHERD_TOKEN")...)
}

func onlySet(env map[string]string, name string) []string {
	if _, ok := env[name]; ok {
		return []string{name}
	}
	return nil
}
