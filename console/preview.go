package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
)

// billSentence says what an action does to the bill.
func billSentence(d authz.Difference) string {
	var parts, money []string
	for _, s := range d.Seats {
		if s.Delta != 0 {
			parts = append(parts, fmt.Sprintf("%+d %s of %s", s.Delta, plural(s.Delta, "seat", "seats"), s.Feature))
		}
	}
	if len(parts) == 0 {
		return "The bill does not change."
	}
	for _, m := range slices.DeleteFunc(slices.Clone(d.Money), func(m authz.Money) bool { return !moves(m) }) {
		money = append(money, fmt.Sprintf("%s %s a month", m.Delta, m.Currency))
	}
	word := "This lowers the bill"
	if d.RaisesBill() {
		word = "This raises the bill"
	}
	said := []string{strings.Join(parts, ", ")}
	if len(money) > 0 {
		said = append(said, strings.Join(money, ", "))
	}
	return word + ": " + strings.Join(said, "; ") + "."
}

func plural(n int, one, many string) string {
	if n == 1 || n == -1 {
		return one
	}
	return many
}
