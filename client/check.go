package client

import "context"

// A Subject is who is asked about.
type Subject struct {
	Type string `json:"type"` // user, email, external or service
	ID   string `json:"id"`
}

// User names a user by userName or by the daemon's id.
func User(name string) Subject { return Subject{"user", name} }

// Email names the one living person with an e-mail address.
func Email(address string) Subject { return Subject{"email", address} }

// External names a user by the id that a source gives.
func External(source, id string) Subject { return Subject{"external", source + "/" + id} }

// Service names a service account by name or id.
func Service(name string) Subject { return Subject{"service", name} }

// A Resource is what is asked about. Types beyond those below are the policy's.
type Resource struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Feature is a feature; its actions are access and those of the catalogue.
func Feature(key string) Resource { return Resource{"feature", key} }

// Output is an output; its action is generate.
func Output(key string) Resource { return Resource{"output", key} }

// Integration is a connection; its actions are view, use, manage and, in a
// project, create_sync.
func Integration(key string) Resource { return Resource{"integration", key} }

// Project is a project; its actions are read, manage_syncs and manage.
func Project(key string) Resource { return Resource{"project", key} }

// A Request asks whether a subject may do something to a resource.
type Request struct {
	Subject  Subject
	Action   string
	Resource Resource
	Project  string // in which it is asked; empty names none
	Reason   bool   // Answer.Code and Answer.Path are wanted
}

// An Answer is what a request led to. The zero Answer denies.
type Answer struct {
	Allow bool
	Code  string   // if a reason was wanted: granted, or why not
	Path  []string // if a reason was wanted: what gives it
	Err   error    // there is no decision, and Allow is false
}

// MaxBatch is how many questions one request has at most.
const MaxBatch = 500

// evaluation is a question on the wire (AuthZEN 1.0, section 6.1).
type evaluation struct {
	Subject  Subject  `json:"subject"`
	Action   action   `json:"action"`
	Resource Resource `json:"resource"`
	Context  *asked   `json:"context,omitempty"`
}

type action struct {
	Name string `json:"name"`
}

// asked is the context of a question.
type asked struct {
	Project string `json:"project,omitempty"`
	Reason  bool   `json:"reason,omitempty"`
}

func (r *Request) wire() evaluation {
	e := evaluation{Subject: r.Subject, Action: action{r.Action}, Resource: r.Resource}
	if r.Project != "" || r.Reason {
		e.Context = &asked{r.Project, r.Reason}
	}
	return e
}

// decision is an answer on the wire (AuthZEN 1.0, section 5.5).
type decision struct {
	Decision *bool `json:"decision"`
	Context  struct {
		Reason struct {
			Code string   `json:"code"`
			Path []string `json:"path"`
		} `json:"reason"`
		Error *struct {
			Status  int    `json:"status"`
			Message string `json:"message"`
		} `json:"error"`
	} `json:"context"`
}

// answer reads a decision. Without one there is an error.
func (d *decision) answer() Answer {
	switch {
	case d.Decision == nil:
		return Answer{Err: errAnswer}
	case d.Context.Error != nil:
		return Answer{Err: &Error{Status: d.Context.Error.Status, Message: d.Context.Error.Message}}
	}
	return Answer{Allow: *d.Decision, Code: d.Context.Reason.Code, Path: d.Context.Reason.Path}
}

// Check asks one question. With an error it returns false.
func (c *Client) Check(ctx context.Context, r Request) (bool, error) {
	if c.gather != nil {
		a := c.gather.ask(ctx, r)
		return a.Allow && a.Err == nil, a.Err
	}
	a, err := c.evaluate(ctx, r)
	return a.Allow && err == nil, err
}

// Explain asks one question and why the answer is what it is.
func (c *Client) Explain(ctx context.Context, r Request) (Answer, error) {
	r.Reason = true
	return c.evaluate(ctx, r)
}

func (c *Client) evaluate(ctx context.Context, r Request) (Answer, error) {
	var d decision
	if _, err := c.post(ctx, "/access/v1/evaluation", r.wire(), &d); err != nil {
		return Answer{}, err
	}
	a := d.answer()
	if a.Err != nil {
		return Answer{}, a.Err
	}
	return a, nil
}

// CheckAll asks any number of questions, in one request as many as a daemon
// takes ([MaxBatch], and 1 MiB), and returns their answers in order. Each
// request is answered from one revision, a later one from that of an earlier
// one or a newer one. With an error there are no answers; an answer's Err
// concerns that answer alone, as [ErrTooLarge] does.
func (c *Client) CheckAll(ctx context.Context, requests []Request) ([]Answer, error) {
	answers := make([]Answer, len(requests))
	var b bundle
	var places []int // of its items
	send := func() error {
		if len(places) == 0 {
			return nil
		}
		got := c.askBundle(ctx, b.items)
		if got.err != nil {
			return got.err
		}
		for i, place := range places {
			answers[place] = got.answers[i]
		}
		if got.stamp != "" {
			ctx = WithAtLeast(ctx, got.stamp)
		}
		b, places = bundle{}, places[:0]
		return nil
	}
	for i := range requests {
		item, err := encode(requests[i].wire())
		if err != nil {
			answers[i].Err = err
			continue
		}
		if !b.takes(item) {
			if err := send(); err != nil {
				return nil, err
			}
		}
		b.add(item)
		places = append(places, i)
	}
	if err := send(); err != nil {
		return nil, err
	}
	return answers, nil
}

// post asks by POST.
func (c *Client) post(ctx context.Context, path string, in, out any) (Stamp, error) {
	body, err := encode(in)
	if err != nil {
		return "", err
	}
	return c.call(ctx, "POST", path, body, out)
}
