// Package extauthz lets reverse proxies ask before they pass a request on:
// Envoy by its ext_authz protocol (version 3, gRPC and HTTP), nginx by
// auth_request, Traefik and Caddy by forward authentication.
//
// A proxy knows a method, a host, a path and who is signed in; a check needs a
// subject, an action and a resource. Between the two stands a [Table], which an
// operator writes, and an [Identity], which says where the proxy puts the name
// of the user. What stands in no line of the table is denied. There is no way
// to configure an allow.
//
// # Paths
//
// The table decides about a path that the application behind the proxy reads
// again, with rules of its own. Where the two could differ, the answer is a deny
// and not a guess: a path is decoded once, and one that holds an encoded slash,
// a dot segment, a second encoding, a path parameter, a backslash, an empty
// segment or a character that a normalisation would turn into one of these is
// refused. So is a segment that is a literal of the table but for case, width or
// trailing dots. The slash at the end never matters, and the query is not
// looked at.
//
// # Who asks
//
// The name of a user in a header is believed because the proxy shows a check
// token, not because the header is there. Any request without a valid token is
// refused before anything in it is looked at. A name that is missing, empty or
// given twice is a deny.
//
// An answer is never an allow unless a decision was: an error is a status that
// every proxy reads as a denial. The Envoy server tells even its errors as
// denials in a regular answer, so that no failure_mode_allow can turn them into
// an allow.
package extauthz
