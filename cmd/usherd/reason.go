package main

import "github.com/usherd/usherd/admin"

// checkReason refuses, before anything is asked, a reason that the daemon would.
func checkReason(text string) error {
	if fault := admin.ReasonFault(text); fault != "" {
		return usage("--reason %s", fault)
	}
	return nil
}
