package config

import "net/url"

// Console is about the web console.
type Console struct {
	Environment  string `yaml:"environment" restart:"true" doc:"Label that every page shows, e.g. staging."`
	SecretFolder string `yaml:"secret_folder" path:"true" restart:"true" doc:"Folder in which files may be named from the console and the API, e.g. the one with an LDAP password. Unset: none may; usherd source add on the machine names any."`
	OIDC         OIDC   `yaml:"oidc" restart:"true" doc:"Sign-in with an identity provider. Without it, usherd login makes links that let people in. One account of it is bound to each user at the first sign-in; usherd user release-sign-in frees the user."`
}

// OIDC is how people sign in with an identity provider (OpenID Connect Core
// 1.0). Without an issuer they can not.
type OIDC struct {
	Issuer       string   `yaml:"issuer" doc:"Address of the provider, as its discovery document names it; https, or http on loopback."`
	ClientID     string   `yaml:"client_id" doc:"What the provider knows the console as; also the audience that its tokens must have. Required with issuer."`
	ClientSecret Secret   `yaml:"client_secret" doc:"Secret of the client, as file: or credential:."`
	Source       string   `yaml:"source" doc:"Source whose users sign in: the one in which attribute has the value of claim. Required with externalId."`
	Attribute    string   `yaml:"attribute" enum:"externalId|userName" default:"externalId" doc:"What of a user equals the claim at the first sign-in. E-mail addresses are not offered: they pass from one person to another."`
	Claim        string   `yaml:"claim" default:"sub" doc:"Claim of the ID token that says who it is, e.g. oid with Entra ID."`
	Scopes       []string `yaml:"scopes" sep:" " doc:"Scopes to ask for besides openid."`
}

// Enabled reports whether people sign in with an identity provider.
func (o OIDC) Enabled() bool { return o.Issuer != "" }

// console checks how people sign in.
func (v *validation) console() {
	const at = "console.oidc."
	o := v.c.Console.OIDC
	if !o.Enabled() {
		if o.ClientID != "" || o.Source != "" {
			v.fault(at+"issuer", "e.g. https://login.example.com", "missing; other keys of the block are set")
		}
		return
	}
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "":
		v.fault(at+"issuer", "e.g. https://login.example.com", "not an address")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		v.fault(at+"issuer", "use https", "a sign-in over plain HTTP can be taken over")
	}
	if o.ClientID == "" {
		v.fault(at+"client_id", "", "missing; issuer is set")
	}
	switch {
	case o.Source == "" && o.Attribute == "externalId":
		v.fault(at+"source", "the name of a source", "missing; externalIds belong to one source")
	case o.Source != "" && !sourceName.MatchString(o.Source):
		v.fault(at+"source", "", "%q is not the name of a source", clip(o.Source))
	}
}
