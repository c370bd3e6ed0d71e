package main

import "github.com/usherd/usherd/directory"

// Held implements [admin.Mirror].
func (p *pdp) Held(key directory.SubjectKey) (*directory.Subject, error) {
	view, err := p.cache.View()
	if err != nil {
		return nil, err
	}
	return p.cache.Held(view, key), nil
}

// Forget implements [admin.Mirror].
func (p *pdp) Forget(key directory.SubjectKey) error {
	view, err := p.cache.View()
	if err != nil {
		return err
	}
	p.cache.Forget(view, key)
	return nil
}
