// Package console is the web console: pages that administrators work in,
// rendered here by templates, over the methods of [admin.Service]. Whatever a
// page shows or does, the service decides whether the signed-in user may.
//
// A page is three things: a handler that asks the service and fills a page
// struct (users.go), a template that shows it (users.templ), and for lists a
// [List], of which the same rows make the table and the CSV. The state of a page
// is its URL; everything works by links and forms alone, and htmx only swaps the
// part that changed (the forms and links carry hx-select). A link to a record of
// the audit log leads to its page; where the list has a drawer, drawer.js shows
// the same part of that page in it, under the page's address.
//
// What is wrong with what somebody typed is a [told]: by field, so that it stands
// at the field, which has the focus, and what is about no field above the form.
// Faults of the policy come with their place in a file; they are told by the
// field, or by the name of the item that they are in.
//
// Templates are turned into Go by `make generate`; the result is committed. They
// escape what they show; no handler makes HTML. Scripts and styles are files of
// ours under static, so that the policy of headers.go can forbid all others.
//
// A session belongs to a living, active user, is kept as a hash where every
// replica finds it, and is asked for at every request, so that whoever is
// deactivated is out at once.
package console
