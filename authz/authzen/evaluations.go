package authzen

import (
	"net/http"
	"strconv"
)

// evaluations answers a batch (AuthZEN 1.0, section 7). All of it is answered
// as of one revision.
func (c *call) evaluations() error {
	body, err := c.body(c.h.cfg.MaxBatchBody)
	if err != nil {
		return err
	}
	if err := c.request.decode(body, c.h.cfg.MaxBatch); err != nil {
		return err
	}
	if len(c.request.items) == 0 {
		return c.single()
	}
	faults := c.resolve()
	point, err := c.evaluate()
	if err != nil {
		return err
	}
	c.revision(point.Stamp)
	c.render(faults, point)
	c.write()
	return nil
}

// resolve makes the queries of those evaluations that can be asked, and
// returns what is wrong with each of the others.
func (c *call) resolve() []*failure {
	r := &c.request
	var faults []*failure // nil as long as there is none
	c.queries = c.queries[:0]
	for i := range r.items {
		e := &r.items[i]
		e.inherit(&r.top)
		var f *failure
		if fault := e.wrong(whole); fault != "" {
			f = &failure{status: http.StatusBadRequest, text: fault}
		} else if !c.by.MayAsk(e.resource.typ, e.resource.id) {
			f = toFailure(ErrForbidden)
		} else {
			c.queries = append(c.queries, e.query())
		}
		if f != nil && faults == nil {
			faults = make([]*failure, len(r.items))
		}
		if f != nil {
			faults[i] = f
		}
	}
	return faults
}

// render writes the decisions in the order of the evaluations, up to the one
// that ends the batch. What could not be decided is a deny that says why.
func (c *call) render(faults []*failure, p Point) {
	b := append(c.buf[:0], `{"evaluations":[`...)
	next := 0 // of the answers
	for i := range c.request.items {
		if i > 0 {
			b = append(b, ',')
		}
		var f *failure
		if faults != nil {
			f = faults[i]
		}
		allow := false
		if f == nil {
			q, a := &c.queries[next], &c.answers[next]
			next++
			if a.Err != nil {
				f = toFailure(a.Err)
			} else {
				b, allow = appendDecision(b, q, a, p), a.Decision.Allow
			}
		}
		if f != nil {
			b = appendFault(b, f)
		}
		if ends := c.request.semantic; ends == denyOnFirstDeny && !allow || ends == permitOnFirstPermit && allow {
			break
		}
	}
	c.buf = append(b, `]}`...)
}

// appendFault writes what stands in place of a decision (AuthZEN 1.0, section
// 7.2.1).
func appendFault(b []byte, f *failure) []byte {
	b = append(b, `{"decision":false,"context":{"error":{"status":`...)
	b = strconv.AppendInt(b, int64(f.status), 10)
	b = append(b, `,"message":`...)
	b = appendString(b, f.text)
	return append(b, `}}}`...)
}
