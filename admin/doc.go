// Package admin is what administrators do: every action of the command line,
// the API and the console is one method of [Service].
//
// A method resolves the names that people use (SOURCE/NAME for a group; an id,
// a userName, email:ADDRESS or external:SOURCE/ID for a user), checks what it
// is asked against the catalogue, and hands changes to the store as one Apply.
// Nothing is altered when a method returns an error, and the error says what to
// do about it.
//
// Who may do what is decided by our own engine: action.go is the table of
// actions and the rights they need, [Authority] what one principal may do,
// outrank.go the rule that nobody gives or changes what is above them, and
// visible.go what is not there for whom. Methods that change something take the
// actor; methods that show something take the principal of the context
// ([WithPrincipal]); without one they refuse. testdata/matrix.txt holds every
// route as everybody. Under [WithDryRun] an action is checked and previewed only.
//
// [API] serves the same methods under /api/v1 as JSON, with errors as problem
// details (RFC 9457). It trusts its caller to have found out who is asking: see
// [WithPrincipal].
//
// What needs more than the store (LDAP runs, checks under the live view) comes
// in through the interfaces of [Config]; package admin opens no connection and
// no file.
package admin
