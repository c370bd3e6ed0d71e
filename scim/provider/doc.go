// Package provider plays identity providers: it holds the conversation that
// Okta, Microsoft Entra ID or authentik has with a SCIM endpoint, in their own
// words, and says of each step whether the answer is what that provider needs.
//
// A conversation makes people and groups of its own and ends by deleting what
// the provider would delete. It belongs into a source that exists for it alone:
// what it finds there is what it made.
package provider
