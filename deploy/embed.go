// Package deploy holds what an operator starts from: container and unit files,
// alerts, a dashboard, and example policies.
package deploy

import "embed"

// Examples are the example policies, one file for each product.
//
//go:embed examples/*.yaml
var Examples embed.FS
