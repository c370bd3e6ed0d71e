package filter

// A Predicate is a filter bound to a resource type.
type Predicate struct {
	match func(doc map[string]any) bool

	// Bent lists how the filter was understood although the schema does not
	// have it so, such as an attribute without the URN of its extension.
	Bent []string
}

// Match reports whether doc, a resource in canonical attribute names as
// encoding/json decodes it, satisfies the filter.
func (p *Predicate) Match(doc map[string]any) bool { return p.match(doc) }

// Compile binds x to r. Unknown attributes and comparisons that an attribute's
// type does not have (RFC 7644, section 3.4.2.2) are errors.
//
// A comparison with a multi-valued attribute holds when it holds for one of
// its values; "ne" and "eq null" also hold when there is none.
func Compile(x Expr, r *Resource) (*Predicate, error) {
	c := &compiler{resource: r}
	m, err := c.expr(x)
	if err != nil {
		return nil, err
	}
	return &Predicate{match: m, Bent: c.bent}, nil
}

// CompileValues binds the filter of a value path, whose attributes are the
// sub-attributes of attr, to a test of single values.
func CompileValues(x Expr, attr *Attribute) (func(value any) bool, error) {
	c := &compiler{values: attr}
	m, err := c.expr(x)
	if err != nil {
		return nil, err
	}
	return func(value any) bool {
		doc, ok := value.(map[string]any)
		return ok && m(doc)
	}, nil
}

type matcher = func(doc map[string]any) bool

// A compiler binds names either to a resource or, inside a value path, to the
// sub-attributes of values.
type compiler struct {
	resource *Resource
	values   *Attribute
	bent     []string
}

func (c *compiler) expr(x Expr) (matcher, error) {
	switch x := x.(type) {
	case And:
		return c.all(x, false)
	case Or:
		return c.all(x, true)
	case Not:
		m, err := c.expr(x.X)
		return func(doc map[string]any) bool { return !m(doc) }, err
	case Compare:
		return c.compare(x)
	case Present:
		ref, err := c.resolve(x.Attr)
		if err != nil {
			return nil, err
		}
		return func(doc map[string]any) bool { return present(ref.value(doc), ref.subName()) }, nil
	case Has:
		return c.has(x)
	}
	return nil, errorf("unknown kind of filter")
}

// all is a conjunction, which ends at the first false, or a disjunction, which
// ends at the first true.
func (c *compiler) all(terms []Expr, until bool) (matcher, error) {
	ms := make([]matcher, len(terms))
	for i, t := range terms {
		var err error
		if ms[i], err = c.expr(t); err != nil {
			return nil, err
		}
	}
	return func(doc map[string]any) bool {
		for _, m := range ms {
			if m(doc) == until {
				return until
			}
		}
		return !until
	}, nil
}

func (c *compiler) compare(x Compare) (matcher, error) {
	ref, err := c.resolve(x.Attr)
	if err != nil {
		return nil, err
	}
	leaf, err := ref.leaf()
	if err != nil {
		return nil, err
	}
	lit, bent, err := convert(leaf, x.Op, x.Value)
	if err != nil {
		return nil, err
	}
	if bent != "" {
		c.bent = append(c.bent, bent)
	}
	sub := ref.subName()
	if leaf != ref.Attr {
		sub = leaf.Name
	}
	absent := x.Op == Ne && x.Value != nil || x.Op == Eq && x.Value == nil
	return func(doc map[string]any) bool {
		v := ref.value(doc)
		if !present(v, sub) {
			return absent
		}
		return anyValue(v, sub, lit.matches)
	}, nil
}

func (c *compiler) has(x Has) (matcher, error) {
	if c.values != nil {
		return nil, errorf("a value path may not stand inside another")
	}
	ref, err := c.resolve(x.Attr)
	if err != nil {
		return nil, err
	}
	if ref.Attr == nil || ref.Attr.Type != Complex || ref.Sub != nil {
		return nil, errorf("attribute %q has no values to select from", clip(x.Attr.String()))
	}
	inner := &compiler{values: ref.Attr}
	m, err := inner.expr(x.X)
	if err != nil {
		return nil, err
	}
	c.bent = append(c.bent, inner.bent...)
	return func(doc map[string]any) bool {
		return anyValue(ref.value(doc), "", func(v any) bool {
			value, ok := v.(map[string]any)
			return ok && m(value)
		})
	}, nil
}

func (c *compiler) resolve(p AttrPath) (Ref, error) {
	if c.values == nil {
		ref, err := c.resource.Resolve(p)
		if ref.Bare {
			c.bent = append(c.bent, "extension attribute without its URN")
		}
		return ref, err
	}
	a := c.values.SubAttribute(p.Name)
	if a == nil || p.URN != "" || p.Sub != "" {
		return Ref{}, errorf("attribute %q has no sub-attribute %q", c.values.Name, clip(p.String()))
	}
	return Ref{Attr: a}, nil
}

// leaf returns the definition of what a comparison with r compares: for a
// complex attribute its "value" (RFC 7644, section 3.4.2.2: emails co "x").
func (r Ref) leaf() (*Attribute, error) {
	switch {
	case r.Sub != nil:
		return r.Sub, nil
	case r.Attr == nil:
		return nil, errorf("%s is a schema, not an attribute", r.Extension)
	case r.Attr.Type != Complex:
		return r.Attr, nil
	}
	if v := r.Attr.SubAttribute("value"); v != nil {
		return v, nil
	}
	return nil, errorf("attribute %q is complex: name a sub-attribute", r.Attr.Name)
}

func (r Ref) subName() string {
	if r.Sub == nil {
		return ""
	}
	return r.Sub.Name
}

// value returns what doc has at r, sub-attribute not considered.
func (r Ref) value(doc map[string]any) any {
	if r.Extension != "" {
		ext, ok := doc[r.Extension].(map[string]any)
		if !ok || r.Attr == nil {
			return doc[r.Extension]
		}
		doc = ext
	}
	return doc[r.Attr.Name]
}

// anyValue reports whether f holds for one of the values in v: v itself or the
// elements of a list, or, where sub is given, that sub-attribute of them.
func anyValue(v any, sub string, f func(any) bool) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if anyValue(e, sub, f) {
				return true
			}
		}
		return false
	case map[string]any:
		if sub != "" {
			s, ok := v[sub]
			return ok && anyValue(s, "", f)
		}
	case nil:
		return false
	}
	return f(v)
}

// present is the operator "pr": there is a value and it is not empty.
func present(v any, sub string) bool {
	return anyValue(v, sub, func(v any) bool {
		switch v := v.(type) {
		case string:
			return v != ""
		case map[string]any:
			return len(v) > 0
		}
		return true
	})
}
