package console_test

import "testing"

func TestTheCatalogueIsReadAndEdited(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := s.browse()
	s.enter(b, s.owner)
	order := `[...document.querySelectorAll("tr[id^=feature-]")].map(r => r.id.slice(8)).join()`
	t.Run("features move by keys", func(t *testing.T) {
		b.open("/catalogue")
		b.look("catalogue")
		eval[bool](b, `(document.querySelector('button[aria-label="Move help up"]').focus(), true)`)
		b.keys("\r")
		b.until(order+` === "part-list,help,reports"`, "help before reports")
	})
	t.Run("features are dragged", func(t *testing.T) {
		eval[bool](b, `(() => {
			const row = (key) => document.querySelector("#feature-" + key), held = new DataTransfer();
			const send = (at, type) => at.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: held}));
			send(row("reports"), "dragstart");
			if (send(row("part-list"), "dragover")) return false; // not taken
			send(row("part-list"), "drop");
			return true;
		})()`)
		b.until(order+` === "reports,part-list,help"`, "reports before all")
		b.sees("reports moved.")
	})
	t.Run("a feature is added, and its price changes the bill after a look", func(t *testing.T) {
		b.open("/catalogue/features")
		b.fill("#key", "orders")
		b.fill("#actions", "approve")
		b.press("Save")
		b.sees("orders saved.")
		b.open("/catalogue/features?key=part-list")
		b.fill("#monthly", "5.00")
		b.press("Save")
		b.sees("+1.00")
		b.look("catalogue-price")
		b.press("Apply")
		b.sees("5.00 EUR")
	})
	t.Run("what is not valid is said beside what was typed", func(t *testing.T) {
		b.open("/catalogue/features")
		b.fill("#key", "a:b")
		b.press("Save")
		b.until(`!!document.querySelector(".problem") && document.querySelector("#key").value === "a:b"`, "the problem")
		b.look("catalogue-invalid")
	})
	t.Run("a key in use is not removed", func(t *testing.T) {
		b.open("/catalogue")
		eval[bool](b, `(window.confirm = () => true)()`)
		b.click(`button[aria-label="Remove part-list"]`)
		b.sees("part-list is not removed: ")
		b.sees("uses it")
		b.look("catalogue-in-use")
		eval[bool](b, `(window.confirm = () => true)()`)
		b.click(`button[aria-label="Remove orders"]`)
		b.sees("orders removed.")
	})
}
