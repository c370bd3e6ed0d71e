// Package filter reads, prints and evaluates the filters and PATCH paths of
// SCIM 2.0 (RFC 7644, sections 3.4.2.2 and 3.5.2).
//
// A text becomes an [Expr] by [Parse] or a [Path] by [ParsePath], a tree that
// knows only grammar. [Compile] binds an Expr to the [Resource] it is asked
// about, whose attributes say what is case-exact, multi-valued or a date, and
// returns a [Predicate] over a JSON document. [Lower] turns an Expr into the
// condition that the store can answer from its indexes; what the store cannot
// say is left to the Predicate.
//
// The parser is our own because texts come from the network: it is bounded in
// length, depth and number of terms before it recurses, and it decodes string
// escapes, both of which the libraries for the job leave out.
//
// Document keys must already have their canonical spelling: this package
// folds the names in filters, never those in documents.
package filter
