// Package scim is the SCIM 2.0 service provider (RFC 7643, 7644 and 9865): what
// identity providers push users and groups to.
//
// A [Handler] serves one base address per source, /scim/{source}/v2. A token
// belongs to exactly one source and reaches nothing else. Each request goes the
// same way: authenticate; source and limits; body bytes; strict JSON;
// normalise what identity providers really send; the endpoint; projection, ETag
// and, for every error, one table. Nothing of a body is read before the token
// is known to be good, and what passes a limit of shape (depth, strings, values,
// entries of a list) is refused when the byte that passes it arrives: the answer
// goes out first, and the rest of the body is thrown away behind it.
//
// # Writing
//
// A request becomes a list of [directory.Change] in one Apply: all of it
// happens or nothing. The member list of a group is never read to be written:
// adding and removing members are changes of rows, in the order of the request.
// A user, and a group's own attributes, are documents: PATCH is a pure function
// from one document to the next, which is written under the version that was
// read and begun again if another write came between. Only a client that sends
// If-Match hears of versions, by 412. A user's version is that of what its
// source said: being added to a group does not change it.
//
// # Being lenient
//
// For some providers a 400 is for ever, and each of them has habits that the
// RFC does not have: booleans as strings, a manager that is a bare string, paths
// as attribute names, one operation per member. What is known to be sent is
// bent into shape, and every bend is listed in the provisioning log entry of
// the request. Types are not guessed beyond that. Departures that are ours: PUT
// without active or externalId keeps them, replace on a value that
// emails[type eq "work"] does not find creates it, members that nobody knows
// yet are kept as pending.
//
// # People of several sources
//
// An identity joins a user of another source where a [Linker] says so, or where
// an administrator said so before; the store revives the deleted identity of a
// user who still lives by its externalId. A [Handler.Replay] repeats a logged
// request against the present state, as a trial or in earnest. docs/provisioning.md
// tells of both. Package provider plays the providers themselves.
//
// # The library
//
// github.com/elimity-com/scim gives the definitions of the schemas, core and
// custom, in every form they are needed (discovery, types of attributes) and
// validates each finished document before it is written. Its server, filter
// parser and PATCH are not used: they read whole bodies without bound and
// before authentication, a filter of many parentheses kills the process, and
// neither the base address, sorting, projection, ETags, nor member lists as
// rows fit in. Package filter is our own.
//
// Authentication, reading and applying are interfaces declared here and
// implemented elsewhere; this package imports only package directory.
package scim
