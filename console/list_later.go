package console

import "github.com/a-h/templ"

// attributes are those of the element of a row in a page.
func (r Row) attributes() templ.Attributes {
	switch {
	case r.Anchor == "":
		return nil
	case r.Later == "":
		return templ.Attributes{"id": r.Anchor}
	}
	a := loadsItself(r.Later, "#"+r.Anchor)
	a["id"] = r.Anchor
	a["hx-sync"] = "closest tbody:queue all" // one after the other: checks have the other cores
	return a
}

// loadsItself are the attributes of an element that stands in for one that takes a
// while to make: selector finds it in the page at that address. It is morphed, so
// that whoever is in it with the keyboard stays there.
func loadsItself(at templ.SafeURL, selector string) templ.Attributes {
	return templ.Attributes{
		"hx-get": string(at), "hx-trigger": "load", "hx-select": selector, "hx-swap": "outerMorph", "aria-busy": "true",
		"hx-status:4xx": "swap:none", "hx-status:5xx": "swap:none", // an error page has no such element; console.js says that it failed
	}
}

// chartsLater are the attributes of the place of charts.
func chartsLater(missing bool, at templ.SafeURL) templ.Attributes {
	if !missing {
		return templ.Attributes{"id": "charts"}
	}
	a := loadsItself(at, "#charts")
	a["id"] = "charts"
	return a
}
