package main

import (
	"time"

	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/scim"
	"github.com/usherd/usherd/scim/filter"
)

// scimLimits are the configured bounds of what identity providers may ask.
func scimLimits(c config.SCIM) scim.Limits {
	return scim.Limits{
		UserBody: c.UserBody, GroupBody: c.GroupBody, Depth: c.JSONDepth,
		Filter:     filter.Parser{Length: c.FilterLength, Depth: c.FilterDepth, Terms: c.FilterTerms},
		Operations: c.Operations, Members: c.Members, Emails: c.Emails,
		Page: c.Page, MaxPage: c.MaxPage, Scan: c.Scan, Requests: c.Requests, Wait: time.Duration(c.Wait),
	}
}
