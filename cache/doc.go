// Package cache keeps what checks need in memory, and keeps it right.
//
// A [Cache] follows the feed of the directory and publishes one [View] after
// another: the snapshot that policy and groups compile to, at one revision. A
// check takes a view, asks for its subject as of that view, decides with the
// view's snapshot, and has the view's age tested when it answers. So every
// answer is the answer of one single revision, at most MaxStaleness old; no
// answer mixes an old membership with a new policy or the reverse.
//
// What is cached is the subject: small, and independent of policy and groups.
// A change of a group touches no cached subject, and a change of policy
// flushes nothing. Decisions are never cached.
//
// # How an entry stays right
//
// An entry is a subject with the stamp of the data it was read from. The
// [Cache] remembers for the last revisions, its window, which keys they
// touched. An entry is admitted, from Redis or into memory, only if its stamp
// lies in the window and neither the asked key nor the subject's id was touched
// later. Entering touched keys, and dropping them from memory, excludes every
// admission, and both come before the view that shows the change. In memory an
// entry then stays valid until it is dropped. Nothing depends on time, on
// messages or on Redis.
//
// What is not in memory is asked of Redis and then of the store, as of the
// view's stamp, so that a check never has to begin again.
//
// # Redis
//
// Redis is an accelerator of two kinds: a second level that replicas share, and
// a wake-up call for the followers of the other replicas. It holds nothing in
// the clear, is never trusted and never needed: whatever goes wrong with it is a
// miss.
//
// Package cache knows nothing of policy: what a snapshot is, and how it is
// compiled, is given to it.
package cache
