package console

// SafeguardDefaults are the limits that the console shows where none is set.
func SafeguardDefaults() map[string]int {
	out := map[string]int{}
	for _, g := range safeguards {
		out[g.Key] = g.Default
	}
	return out
}

// ProfileNames are the profiles that the console offers.
func ProfileNames() (out []string) {
	for _, o := range profiles {
		out = append(out, o.Value)
	}
	return out
}
