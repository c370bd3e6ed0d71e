// Package client asks an usherd daemon what people may do. It needs nothing
// beside the standard library.
//
//	c, err := client.New(client.Config{URL: "https://usherd.example.com", Token: token})
//	…
//	may, err := c.Check(ctx, client.Request{
//		Subject: client.User("kim@example.com"), Action: "edit", Resource: client.Feature("part-list"),
//	})
//	if err != nil || !may {
//		// refuse
//	}
//
// An error is never an allow: the boolean beside it is false. There is an answer
// only if the daemon gave one that was complete and in the form of the standard
// (OpenID AuthZEN Authorization API 1.0).
//
// # Calls
//
// A [Client] keeps connections open and is safe for concurrent use; an
// application needs one. Each call has a deadline, [Config.Timeout] or the
// earlier one of its context. Within it a call is tried again where that is
// safe: the daemon was not reached, or went away before the first byte of an
// answer, or said 503 with a time to come back at. Nothing else is repeated.
//
// # Freshness
//
// Whoever changed something and must see it in the next check takes the stamp
// of the change (the header Usherd-Revision of any answer to a write, the field
// stamp of commands) and passes it on by [WithAtLeast].
//
// # Batches
//
// [Client.CheckAll] asks many questions in as few requests as the daemon takes.
// With [Config.Coalesce] set, checks that run at the same time are put into one
// request on their own, and equal ones become one question.
package client
