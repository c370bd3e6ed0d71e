package console_test

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed testdata/axe.min.js
var axeScript string

// axe fails the test for every rule of axe-core that the page, as it is now,
// violates.
func (b *browser) axe() {
	b.t.Helper()
	if !eval[bool](b, "!!window.axe") {
		eval[bool](b, axeScript+"\n;true")
	}
	// The run is a promise: its result is left in the page and waited for.
	eval[bool](b, `(window.axeFound = null, axe.run(document, {resultTypes: ["violations"]}).then(
		(r) => { window.axeFound = r.violations.map((v) => v.id + ": " + v.help + "\n    " +
			v.nodes.slice(0, 4).map((n) => n.html + " – " + n.failureSummary.replaceAll("\n", " ")).join("\n    ")); },
		(e) => { window.axeFound = ["axe itself: " + e]; }), true)`)
	b.until("window.axeFound !== null", "the result of axe")
	if found := eval[[]string](b, "window.axeFound"); len(found) > 0 {
		b.t.Errorf("axe at %s:\n  %s", eval[string](b, "location.pathname"), strings.Join(found, "\n  "))
	}
}

// everyLook runs f with the page light and dark, at desk and at hand width.
func (b *browser) everyLook(f func(look string)) {
	b.t.Helper()
	for _, size := range []struct {
		name  string
		width int64
	}{{"1280", 1280}, {"390", 390}} {
		b.resize(size.width)
		for _, theme := range []string{"light", "dark"} {
			eval[bool](b, fmt.Sprintf(`(document.documentElement.dataset.theme = %q, true)`, theme))
			f(theme + "-" + size.name)
		}
	}
	b.resize(1280)
}

// look runs axe over the page light and wide, and dark and narrow, fails the
// test if it is wider than the window, and keeps screenshots of every look.
func (b *browser) look(name string) {
	b.t.Helper()
	b.everyLook(func(look string) {
		switch look {
		case "light-1280", "dark-390":
			b.axe()
			b.fits()
		}
		b.shoot(name + "-" + look)
	})
}

// fits fails the test if the page is wider than the window.
func (b *browser) fits() {
	b.t.Helper()
	if over := eval[float64](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		wide := eval[string](b, `[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre")).slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join("\n")`)
		b.t.Errorf("%s is %v px wider than the window: %s", eval[string](b, "location.pathname"), over, wide)
	}
}
