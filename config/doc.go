// Package config reads what an operator configured: one strict YAML file, the
// files of conf.d beside it, environment variables and flags.
//
// The order of precedence is flag, environment, file, default. With nothing
// configured everything has a default that works on one machine. [Load] reports
// all faults at once, each with file, line and column, and what was probably
// meant; a configuration with a fault yields nothing at all, so that a reload
// of a bad file changes nothing.
//
// # Keys and variables
//
// Every key has an environment variable: USHERD_ and the path in capitals,
// ops_listen is USHERD_OPS_LISTEN, redis.timeout is USHERD_REDIS_TIMEOUT. A key
// of a source goes by the source's name: USHERD_SOURCES_CORP_AD_LDAP_BASE. The
// variable with _FILE appended names a file that holds the value. Lists are
// separated by commas, lists of names (DNs) by semicolons.
//
// # Secrets
//
// A secret is never written in the file: a [Secret] names where it is, and
// shows no more than that wherever it is printed.
//
// # One table
//
// The fields of [Config] and their tags are the only list of keys. Decoding,
// defaults, variables, the JSON Schema, the reference page and config print all
// walk it.
//
// Package config imports nothing else from this module, and no other package
// takes its types: cmd/usherd translates.
package config
