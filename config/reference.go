package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference returns the reference of all keys as a page in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	section(&b, reflect.TypeFor[Config](), "", strings.TrimSuffix(envPrefix, "_"), "Top level", "")
	return b.String()
}

const referenceHead = `# Configuration

usherd needs no configuration: without any it keeps its data in ./usherd-data and listens on loopback. What there is to
say is said in one YAML file, in the files of ` + "`conf.d`" + ` beside it, in environment variables and in flags.

- **Which file**: ` + "`--config`" + `, else ` + "`$USHERD_CONFIG`" + `, else ` + "`./usherd.yaml`" + `, else ` + "`$XDG_CONFIG_HOME/usherd/config.yaml`" + `, else
  ` + "`/etc/usherd/usherd.yaml`" + `. Files ` + "`conf.d/*.yaml`" + ` in its folder are merged over it in the order of their names: blocks are
  merged, ` + "`sources`" + ` and ` + "`routes`" + ` are added, all else is replaced.
- **What wins**: flag, then environment, then file, then default. ` + "`usherd config print --origins`" + ` says which it was.
- **Variables**: every key but those of ` + "`routes`" + ` has one, named in the tables. The name with ` + "`_FILE`" + ` appended names a file that holds the value.
- **Strict**: an unknown key, a key given twice, a value out of bounds is an error with file, line and column, and nothing
  is started or reloaded. ` + "`usherd config check`" + ` says so beforehand; ` + "`usherd config schema`" + ` gives editors a JSON Schema.
- **Secrets** are not written in the file. It says where they are: ` + "`file:/run/secrets/name`" + ` (readable by nobody else),
  ` + "`credential:name`" + ` (systemd's LoadCredential) or ` + "`env:NAME`" + `. A variable may hold the secret itself. Flags never do.
- **Durations** are written 20ms, 10s, 5m, 1h30m or 400d.
- **File names** in a file are relative to the folder of that file.
- **Reload** by SIGHUP or by changing a file: the whole is read and checked first; with any fault the old one stays in
  force. Keys marked *restart* keep their old value until the next start.
- **Policy file**: applied at the start and at a reload. If it is at fault, or in conflict with what is in use (it leaves
  out a Role that somebody was granted), the stored policy serves on, with the file's sources left as they were; the log,
  ` + "`usherd doctor`" + `, /readyz (degraded) and ` + "`usherd_config_reload_success 0`" + ` say so until the file is mended and
  reloaded. Only a daemon whose store has no policy yet does not start with such a file.

This page is generated from the program.
`

// section writes the table of a block and then those of the blocks in it.
func section(b *strings.Builder, t reflect.Type, path, env, title, doc string) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if doc != "" {
		b.WriteString(doc + "\n\n")
	}
	b.WriteString("| key | type | default | variable | meaning |\n|---|---|---|---|---|\n")
	var below []func()
	for _, f := range fieldsOf(t) {
		at, name := join(path, f.key), env+"_"+variable(f.key)
		if env == "" {
			name = ""
		}
		if inner, suffix, ok := f.inner(); ok {
			inEnv := name
			if _, named := inner.FieldByName("Name"); suffix != "" && named {
				inEnv += "_NAME"
			} else if suffix != "" {
				inEnv = ""
			}
			below = append(below, func() { section(b, inner, at+suffix, inEnv, "`"+at+suffix+"`", f.sentence()) })
			fmt.Fprintf(b, "| `%s` | %s | | | see below |\n", f.key, f.typeName())
			continue
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", f.key, f.typeName(), code(f.def), code(name), f.sentence())
	}
	for _, write := range below {
		write()
	}
}

// inner is the block that f is, or is a list of.
func (f field) inner() (t reflect.Type, suffix string, ok bool) {
	switch t = f.typ; {
	case t.Kind() == reflect.Pointer:
		return t.Elem(), "", true
	case t.Kind() == reflect.Slice && isBlock(t.Elem()):
		return t.Elem(), "[]", true
	}
	return t, "", isBlock(t)
}

// sentence is the doc of f with what its other tags say.
func (f field) sentence() string {
	s := f.doc
	if f.shorthand != "" {
		s += fmt.Sprintf(" A plain value instead of the block is its `%s`.", f.shorthand)
	}
	switch {
	case f.min != "" && f.max != "":
		s += fmt.Sprintf(" From %s to %s.", f.min, f.max)
	case f.min != "":
		s += fmt.Sprintf(" At least %s.", f.min)
	case f.max != "":
		s += fmt.Sprintf(" At most %s.", f.max)
	}
	if f.restart {
		s += " *Restart.*"
	}
	return strings.ReplaceAll(s, "|", `\|`)
}

func (f field) typeName() string {
	if f.enum != nil {
		return "`" + strings.Join(f.enum, "`, `") + "`"
	}
	return typeName(f.typ)
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Prefix]():
		return "network"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	case reflect.Slice:
		return "list of " + typeName(t.Elem()) + "s"
	case reflect.Struct, reflect.Pointer:
		return "block"
	}
	return "text"
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}
