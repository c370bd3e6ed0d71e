package console

import (
	"fmt"
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
	for _, m := range d.Money {
		money = append(money, fmt.Sprintf("%s %s a month", m.Delta, m.Currency))
	}
	word := "This lowers the bill"
	if d.RaisesBill() {
		word = "This raises the bill"
	}
	return word + ": " + strings.Join(parts, ", ") + "; " + strings.Join(money, ", ") + "."
}

func plural(n int, one, many string) string {
	if n == 1 || n == -1 {
		return one
	}
	return many
}
