package admin

import "context"

type addressKey struct{}

// WithAddress says which IP address a request comes from that nobody is signed
// in for yet, so that what comes of it can be traced. Where there is a principal,
// its address counts.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// clientAddress is what [WithAddress] said; empty without it.
func clientAddress(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}
