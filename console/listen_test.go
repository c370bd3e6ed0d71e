package console_test

import (
	"slices"
	"sync"

	"github.com/chromedp/chromedp"
)

// complaints are what a browser says against pages.
type complaints struct {
	mu  sync.Mutex
	all []string
}

// take returns what was said since, each once, and forgets it.
func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	slices.Sort(all)
	return slices.Compact(all)
}

// listen collects what the browser says in its console against pages: errors of
// scripts, violations of the policy, what could not be loaded.
func (b *browser) listen() *complaints {
	c := &complaints{}
	messages := chromedp.Console(b.ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return // the browser ends with the test
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.IsException() {
				c.mu.Lock()
				c.all = append(c.all, m.String()+" "+m.URL)
				c.mu.Unlock()
			}
		}
	}()
	return c
}
