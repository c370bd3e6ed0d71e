// Package webhook tells other systems what happened here, as Standard Webhooks
// (www.standardwebhooks.com): signed POSTs that are tried again for a day.
//
//	change feed ─▶ Source ─▶ Sender ─▶ Book (pending) ─▶ Client ─▶ endpoint
//	                (events)  (lease)                     (guard)
//
// A [Book] keeps endpoints and deliveries as kept records; secrets are sealed in
// them. A [Sender] runs in one replica at a time, by a lease: it asks its
// [Source] for the events after where it was, puts a delivery for each endpoint
// that wants them into the book, and sends what is due. The place in the feed is
// kept after the deliveries, and a delivery's key follows from the event, so that
// a crash between the two repeats nothing.
//
// A [Client] sends one delivery. It is a way to make the daemon connect to
// somewhere, and so it is guarded: names are resolved here, an address that is
// not public is refused unless it is allowed, the address that was checked is the
// one that is dialled, no redirect is followed, no proxy is used, little of the
// answer is read, and nothing of it is kept but its status.
//
// An event holds ids and names of what it is about, and nothing else of anybody.
package webhook
