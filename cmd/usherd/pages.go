package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/usherd/usherd/admin"
)

// everyPage gets all pages of a list and prints them as one.
func (a *app) everyPage(ctx context.Context, path string, q url.Values, cols string) (err error) {
	if err := a.checkFormat(); err != nil {
		return err
	}
	c, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	all := []json.RawMessage{}
	err = c.eachPage(ctx, path, q, func(_ []byte, items []json.RawMessage) error {
		all = append(all, items...)
		return nil
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"items": all})
	if err != nil {
		return fmt.Errorf("joining the pages: %w", err)
	}
	return a.print(text, columns(cols))
}

// eachPage gets a list page after page, so that no answer is too large, and calls
// do with each answer and what it lists. It moves the cursor of q.
func (c *client) eachPage(ctx context.Context, path string, q url.Values, do func(text []byte, items []json.RawMessage) error) error {
	q.Set("limit", "1000")
	for {
		text, err := c.call(ctx, http.MethodGet, path+"?"+q.Encode(), nil)
		if err != nil {
			return err
		}
		var page admin.Listing[json.RawMessage]
		if err := json.Unmarshal(text, &page); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		if err := do(text, page.Items); err != nil || page.Next == "" {
			return err
		}
		q.Set("cursor", page.Next)
	}
}
