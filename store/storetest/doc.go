// Package storetest checks that a [directory.Store] keeps the promises made in
// its documentation, and starts PostgreSQL for tests. Each engine runs the
// conformance cases from one test:
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
//
//	func TestSQLite(t *testing.T) { storetest.Run(t, openSQLite) }
//
// [Postgres] hands out an empty database of a private server that lives as
// long as the test process.
package storetest
