package client

import (
	"context"
	"fmt"
	"iter"
	"net/url"
)

// A search is a question on the wire (AuthZEN 1.0, section 8).
type search struct {
	Subject  *entity `json:"subject,omitempty"`
	Action   *action `json:"action,omitempty"`
	Resource *entity `json:"resource,omitempty"`
	Context  *asked  `json:"context,omitempty"`
	Page     *pageOf `json:"page,omitempty"`
}

type entity struct {
	Type string `json:"type"`
	ID   string `json:"id,omitempty"`
}

type pageOf struct {
	Token string `json:"token"`
}

// SearchSubjects yields the subjects of a type who may do something to a
// resource. It reads page after page; the sequence ends with an error, if there
// is one.
func (c *Client) SearchSubjects(ctx context.Context, subjectType, actionName string, r Resource, project string) iter.Seq2[Subject, error] {
	s := search{Subject: &entity{Type: subjectType}, Action: &action{actionName}, Resource: &entity{r.Type, r.ID}}
	return pages[Subject](ctx, c, "subject", s, project)
}

// SearchResources yields the resources of a type to which a subject may do
// something. For the action access and the type feature these are the features
// of the user's home page, in order.
func (c *Client) SearchResources(ctx context.Context, s Subject, actionName, resourceType, project string) iter.Seq2[Resource, error] {
	q := search{Subject: &entity{s.Type, s.ID}, Action: &action{actionName}, Resource: &entity{Type: resourceType}}
	return pages[Resource](ctx, c, "resource", q, project)
}

// SearchActions yields the names of what a subject may do to a resource.
func (c *Client) SearchActions(ctx context.Context, s Subject, r Resource, project string) iter.Seq2[string, error] {
	q := search{Subject: &entity{s.Type, s.ID}, Resource: &entity{r.Type, r.ID}}
	return func(yield func(string, error) bool) {
		for a, err := range pages[action](ctx, c, "action", q, project) {
			if !yield(a.Name, err) {
				return
			}
		}
	}
}

// pages yields the results of all pages of a search. A page that leads to
// itself is an error and not a search without end.
func pages[T any](ctx context.Context, c *Client, what string, q search, project string) iter.Seq2[T, error] {
	if project != "" {
		q.Context = &asked{Project: project}
	}
	return func(yield func(T, error) bool) {
		var none T
		for {
			var out struct {
				Page struct {
					Next string `json:"next_token"`
				} `json:"page"`
				Results *[]T `json:"results"`
			}
			_, err := c.post(ctx, "/access/v1/search/"+what, q, &out)
			if err == nil && (out.Results == nil || q.Page != nil && out.Page.Next == q.Page.Token && out.Page.Next != "") {
				err = errAnswer
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, r := range *out.Results {
				if !yield(r, nil) {
					return
				}
			}
			if out.Page.Next == "" {
				return
			}
			q.Page = &pageOf{out.Page.Next}
		}
	}
}

// Permissions are everything that a user may do, in one project or in checks
// that name none.
type Permissions struct {
	User        string       `json:"user"`
	Project     string       `json:"project"`
	Code        string       `json:"code"`   // granted, or why the user has nothing at all
	Access      []string     `json:"access"` // features, in the order of the home page
	Role        []string     `json:"role"`   // feature:action, then type:id:action
	Output      []string     `json:"output"`
	Integration []Connection `json:"integration"`
	Rights      []string     `json:"rights"`
	Roles       []string     `json:"roles"`
}

// A Connection is the highest level that a user has on an integration.
type Connection struct {
	Key   string `json:"key"`
	Level string `json:"level"` // viewer, consumer or admin
}

// Permissions returns everything that a user, named by userName or id, may do.
func (c *Client) Permissions(ctx context.Context, user, project string) (*Permissions, error) {
	path := "/v1/users/" + url.PathEscape(user) + "/permissions"
	if project != "" {
		path += "?project=" + url.QueryEscape(project)
	}
	var p Permissions
	if _, err := c.call(ctx, "GET", path, nil, &p); err != nil {
		return nil, err
	}
	if p.Code == "" {
		return nil, fmt.Errorf("no code: %w", errAnswer)
	}
	return &p, nil
}
