// Package watch streams what changed to applications that keep something of
// their own: GET /v1/watch, Server-Sent Events.
//
// Each revision is one event with the ids of the users it touched, or with
// "all":true if it touched policy or groups and so, perhaps, anybody:
//
//	id: 42-8f14e45fceea167a
//	event: change
//	data: {"revision":42,"stamp":"42-8f14e45fceea167a","subjects":["0190…"]}
//
// What an application hears of, checks on this replica know already; for those
// on another one it sends the stamp as Usherd-At-Least. When nothing happens a
// heartbeat carries the newest stamp, so that an application knows how far it
// has seen. It goes on after an interruption from the id of the last event, in
// the header Last-Event-ID or in ?since=. If the feed does not go back that far,
// or the history is another one after a restore, the event reset tells it to
// forget everything; it goes on from the stamp in that event.
//
// One goroutine reads the feed for all streams, and only while there are any. A
// stream keeps nothing but its place in the history, so that a slow consumer
// costs no memory; one that does not read for [Config.Stall] is dropped and may
// come back. A stream ends when its token does.
package watch
