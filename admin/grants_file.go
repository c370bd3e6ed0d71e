package admin

func ParseGrants(name string, text []byte) ([]GrantSpec, error) { return nil, nil }
