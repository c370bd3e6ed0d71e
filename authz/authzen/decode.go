package authzen

// MaxBatch is how many evaluations one request may hold.
const MaxBatch = 500

// An entity is a subject, an action or a resource as it was sent (AuthZEN 1.0,
// section 5). An action's name is its id. What is wrong with it counts only
// where it is used: an evaluation may replace it whole.
type entity struct {
	given   bool
	typ, id string
	project string // properties.project
	fault   string // what has the wrong type
}

// A surrounding is the context of a request. It is given as a whole, too; null
// is an empty one.
type surrounding struct {
	given   bool
	project string
	reason  bool
	fault   string
}

// An evaluation is what one decision is asked of.
type evaluation struct {
	subject, action, resource entity
	context                   surrounding
	fault                     string // it is no object
}

// A semantic says when a batch ends (AuthZEN 1.0, section 7.1.2.1).
type semantic string

const (
	executeAll          semantic = "execute_all"
	denyOnFirstDeny     semantic = "deny_on_first_deny"
	permitOnFirstPermit semantic = "permit_on_first_permit"
)

// A request is a decoded body.
type request struct {
	parser   parser
	top      evaluation   // of the single endpoint; defaults of a batch
	items    []evaluation // of a batch; empty if there is none
	semantic semantic
	page     page // of a search
	limit    int  // of items; 0 if the endpoint knows no batches
	paged    bool // the endpoint knows pages
}

// A page says which part of the results is wanted (AuthZEN 1.0, section 8.2).
type page struct {
	given bool
	token string
	limit int // 0 means no wish
}

// A refusal is a request that can't be answered as it stands, in words for the
// client.
type refusal string

func (r refusal) Error() string { return string(r) }

// decode reads body into r. Whatever r held is gone.
func (r *request) decode(body string, limit int) error {
	r.top, r.items, r.semantic, r.page, r.limit = evaluation{}, r.items[:0], executeAll, page{}, limit
	p := &r.parser
	return p.parse(body, func() error {
		if p.next() == 0 {
			return refusal("the body is empty")
		}
		if p.next() != '{' {
			return refusal("the body must be a JSON object")
		}
		return p.object(r.member)
	})
}

// member reads one member of the body. Unknown ones are ignored.
func (r *request) member(name string) error {
	if r.limit > 0 {
		switch name {
		case "evaluations":
			return r.evaluations()
		case "options":
			return r.options()
		}
	}
	if r.paged && name == "page" {
		return r.readPage()
	}
	return r.parser.part(name, &r.top)
}

func (r *request) evaluations() error {
	p := &r.parser
	switch p.next() {
	case 'n':
		return p.skip() // null is absent
	case '[':
	default:
		return refusal("evaluations must be an array")
	}
	return p.array(func() error {
		if len(r.items) == r.limit {
			return refusal("there are too many evaluations")
		}
		r.items = append(r.items, evaluation{})
		item := &r.items[len(r.items)-1]
		if p.next() != '{' {
			item.fault = "an evaluation must be an object"
			return p.skip()
		}
		return p.object(func(name string) error { return p.part(name, item) })
	})
}

func (r *request) options() error {
	p := &r.parser
	switch p.next() {
	case 'n':
		return p.skip()
	case '{':
	default:
		return refusal("options must be an object")
	}
	return p.object(func(name string) error {
		if name != "evaluations_semantic" {
			return p.skip()
		}
		if p.next() != '"' {
			return refusal("options.evaluations_semantic must be a string")
		}
		text, err := p.str()
		if err != nil {
			return err
		}
		switch r.semantic = semantic(text); r.semantic {
		case executeAll, denyOnFirstDeny, permitOnFirstPermit:
			return nil
		}
		return refusal("options.evaluations_semantic must be execute_all, deny_on_first_deny or permit_on_first_permit")
	})
}

// part reads one member of an evaluation.
func (p *parser) part(name string, e *evaluation) error {
	switch name {
	case "subject":
		return p.entity("subject", "id", &e.subject)
	case "action":
		return p.entity("action", "name", &e.action)
	case "resource":
		return p.entity("resource", "id", &e.resource)
	case "context":
		return p.context(&e.context)
	}
	return p.skip()
}

// entity reads a subject, action or resource; id is what its id is called.
func (p *parser) entity(what, id string, e *entity) error {
	e.given = true
	if p.next() != '{' {
		e.fault = what + " must be an object"
		return p.skip()
	}
	idMember := ".id"
	if id == "name" {
		idMember = ".name"
	}
	return p.object(func(name string) error {
		switch name {
		case "type":
			if id == "name" { // an action has none
				return p.skip()
			}
			return p.want(what, ".type", &e.typ, &e.fault)
		case id:
			return p.want(what, idMember, &e.id, &e.fault)
		case "properties":
			return p.properties(what, e)
		}
		return p.skip()
	})
}

// want reads a string, or notes that it is none.
func (p *parser) want(what, member string, into, fault *string) (err error) {
	if p.next() != '"' {
		note(fault, what+member+" must be a string")
		return p.skip()
	}
	*into, err = p.str()
	return err
}

// note keeps the first fault.
func note(fault *string, what string) {
	if *fault == "" {
		*fault = what
	}
}

func (p *parser) properties(what string, e *entity) error {
	switch p.next() {
	case '{':
	case 'n':
		return p.skip()
	default:
		note(&e.fault, what+".properties must be an object")
		return p.skip()
	}
	return p.object(func(name string) error {
		if name == "project" && what == "resource" {
			return p.want(what, ".properties.project", &e.project, &e.fault)
		}
		return p.skip()
	})
}

func (p *parser) context(c *surrounding) error {
	c.given = true
	switch p.next() {
	case '{':
	case 'n':
		return p.skip()
	default:
		c.fault = "context must be an object"
		return p.skip()
	}
	return p.object(func(name string) error {
		switch name {
		case "project":
			return p.want("context", ".project", &c.project, &c.fault)
		case "reason":
			return p.reason(c)
		}
		return p.skip()
	})
}

// reason reads whether reasons are wanted. The name is ours, and applications
// had contexts before: what is not true is none of our business.
func (p *parser) reason(c *surrounding) error {
	c.reason = p.next() == 't'
	return p.skip()
}

// inherit gives e the defaults of top: a part that e has replaces the default
// whole (AuthZEN 1.0, section 7.1.1).
func (e *evaluation) inherit(top *evaluation) {
	if !e.subject.given {
		e.subject = top.subject
	}
	if !e.action.given {
		e.action = top.action
	}
	if !e.resource.given {
		e.resource = top.resource
	}
	if !e.context.given {
		e.context = top.context
	}
}

// A need says which parts an endpoint needs.
type need uint8

const (
	subjectID need = 1 << iota
	actionName
	resourceID
	whole = subjectID | actionName | resourceID
)

// wrong returns what is wrong with an evaluation, or "".
func (e *evaluation) wrong(needs need) string {
	if e.fault != "" {
		return e.fault
	}
	for _, part := range [...]struct {
		*entity
		id                    need
		missing, noType, noID string
	}{
		{&e.subject, subjectID, "subject is missing", "subject.type is missing", "subject.id is missing"},
		{&e.action, actionName, "action is missing", "", "action.name is missing"},
		{&e.resource, resourceID, "resource is missing", "resource.type is missing", "resource.id is missing"},
	} {
		needed := needs&part.id != 0
		switch {
		case !needed && part.noType == "": // a search for actions ignores the one that is sent
		case !part.given:
			return part.missing
		case part.fault != "":
			return part.fault
		case part.typ == "" && part.noType != "":
			return part.noType
		case part.entity.id == "" && needed:
			return part.noID
		}
	}
	return e.context.fault
}
