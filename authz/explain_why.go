package authz

// Why says in words what keeps a path from counting, an entry for each obstacle.
func (e *Explanation) Why(p Path) []string {
	t := &teller{e: e}
	out := make([]string, len(p.Obstacles))
	for i, code := range p.Obstacles {
		out[i] = t.obstacle(code, p)
	}
	return out
}
