// Package authzen serves the check API: the OpenID AuthZEN Authorization API
// 1.0 over HTTP. Applications (policy enforcement points) ask whether a
// subject may do something to a resource; the answer is one boolean.
//
// A deny is an answer and has status 200. Where there is no answer, the status
// says so and the application has to treat it as a deny: nothing here ever
// turns a failure into a decision, on the single endpoint, or into an allow,
// anywhere.
//
// Requests are decoded strictly, because two parsers that read one request
// differently disagree on who is asking: duplicate names, invalid UTF-8, lone
// surrogates, and members of the wrong type are refused, unknown members are
// not. Everything is limited before it is read, and the caller is authenticated
// before that.
//
// Beyond the standard: the request header Usherd-At-Least and the answer header
// Usherd-Revision, and reasons, which an application asks for by
// "reason": true in the request's context. Without that an answer is exactly
// {"decision":true}.
//
// The handler knows neither caches nor the store. What it asks is an
// [Evaluator].
package authzen
