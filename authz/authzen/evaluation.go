package authzen

import (
	"strconv"

	"github.com/usherd/usherd/directory"
)

// Plain answers.
const (
	allowed = `{"decision":true}`
	denied  = `{"decision":false}`
)

// evaluation answers one request (AuthZEN 1.0, section 6).
func (c *call) evaluation() error {
	body, err := c.body(c.h.cfg.MaxBody)
	if err != nil {
		return err
	}
	if err := c.request.decode(body, 0); err != nil {
		return err
	}
	return c.single()
}

// single answers the evaluation at the top of the request.
func (c *call) single() error {
	top := &c.request.top
	if fault := top.wrong(whole); fault != "" {
		return refusal(fault)
	}
	if !c.by.MayAsk(top.resource.typ, top.resource.id) {
		return ErrForbidden
	}
	c.queries = append(c.queries[:0], top.query())
	point, err := c.evaluate()
	if err != nil {
		return err
	}
	if err := c.answers[0].Err; err != nil {
		return err
	}
	c.revision(point.Stamp)
	c.buf = appendDecision(c.buf[:0], &c.queries[0], &c.answers[0], point)
	c.write()
	return nil
}

// evaluate asks all queries and records what came of them.
func (c *call) evaluate() (Point, error) {
	c.answers = append(c.answers[:0], make([]Answer, len(c.queries))...)
	point, err := c.h.cfg.Evaluator.Evaluate(c.r.Context(), c.atLeast, c.queries, c.answers)
	if err != nil {
		return point, err
	}
	if record := c.h.cfg.Record; record != nil {
		for i := range c.queries {
			record(c.r.Context(), c.by, &c.queries[i], &c.answers[i], point)
		}
	}
	return point, nil
}

// A stampHeader is a stamp as it stands in the header.
type stampHeader struct {
	stamp directory.Stamp
	value []string
}

// revision sets Usherd-Revision. Most answers are of the same revision as the
// one before.
func (c *call) revision(s directory.Stamp) {
	last := c.h.last.Load()
	if last == nil || last.stamp != s {
		last = &stampHeader{s, []string{s.String()}}
		c.h.last.Store(last)
	}
	c.w.Header()["Usherd-Revision"] = last.value
}

// appendDecision writes one decision (AuthZEN 1.0, section 5.5), plain unless
// reasons are wanted.
func appendDecision(b []byte, q *Query, a *Answer, p Point) []byte {
	plain := denied
	if a.Decision.Allow {
		plain = allowed
	}
	if !q.Explain {
		return append(b, plain...)
	}
	b = append(b, plain[:len(plain)-1]...)
	b = append(b, `,"context":{"reason":{"code":`...)
	b = appendString(b, a.Decision.Code.String())
	if len(a.Path) > 0 {
		b = append(b, `,"path":[`...)
		for i, step := range a.Path {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, step)
		}
		b = append(b, ']')
	}
	b = append(b, `},"revision":`...)
	b = appendString(b, p.Stamp.String())
	b = append(b, `,"age_ms":`...)
	b = strconv.AppendInt(b, p.Age.Milliseconds(), 10)
	return append(b, `}}`...)
}

// appendString writes a JSON string. s is valid UTF-8.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == '<' || c == '>' || c == '&' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
