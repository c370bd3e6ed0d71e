package cache

import "github.com/usherd/usherd/directory"

// Len is how many subjects are held in this process, and how many keys that lead
// to nobody.
func (c *Cache[S]) Len() (known, unknown int) {
	v := c.view.Load()
	if v == nil {
		return 0, 0
	}
	return v.memory.byID.EstimatedSize(), v.memory.unknown.EstimatedSize()
}

// Held returns the subject that this process holds for key, nil if it holds none.
// It reads nothing and counts nothing. The subject is shared: callers don't alter
// it.
func (c *Cache[S]) Held(v *View[S], key directory.SubjectKey) *directory.Subject {
	return v.memory.get(normal(key), v.Stamp.Revision)
}

// Forget drops what this process holds for key, so that the next look-up reads it
// again. What Redis holds needs no such thing: it is taken only if it still holds
// at the view's revision.
func (c *Cache[S]) Forget(v *View[S], key directory.SubjectKey) bool {
	n := v.memory.drop(key)
	c.metrics.dropped.Add(float64(n))
	return n > 0
}
