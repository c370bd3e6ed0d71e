// Package cachetest starts real Redis servers for tests, and harms them: it
// stops, kills and empties them.
package cachetest
