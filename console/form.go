package console

import "strconv"

// thousands writes a number in groups of three.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "\u202f" + digits[at:]
	}
	return digits
}

// bulk reports whether rows can be ticked.
func (l List) bulk() bool { return l.BulkRight && len(l.Bulk) > 0 }
