package directory_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

const rich = `{"schemas":["x"],"userName":"kim","displayName":"Kim","active":true,"password":"hunter2","title":"Engineer","nickName":"",
	"name":{"givenName":"Kim","familyName":"Lee","formatted":"Kim Lee"},
	"phoneNumbers":[{"value":"+1 2","type":"work","primary":true},{"value":"+3 4"}],
	"addresses":[{"locality":"Oslo","country":"NO","type":"work"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Bridges","organization":"Acme","manager":{"value":"7","displayName":"Ann"},"costCenter":4711},
	"urn:x:User":{"badge":true,"title":"other","clientSecret":"s3cret"}}`

func TestAttributesAreNamedAndToldForPeople(t *testing.T) {
	want := map[string]string{
		"title": "Engineer", "givenName": "Kim", "familyName": "Lee", "phoneNumbers": "+1 2, +3 4", "addresses": "NO, Oslo",
		"department": "Bridges", "manager": "Ann", "costCenter": "4711", "badge": "true",
	}
	names := directory.AttributeNames(json.RawMessage(rich))
	for name, text := range want {
		if got := directory.ListedAttributes(json.RawMessage(rich)).Text(name); got != text || !slices.Contains(names, name) {
			t.Errorf("%s is %q, want %q, in %v", name, got, text, names)
		}
	}
	if len(names) != len(want) {
		t.Errorf("names are %v, want those of %v", names, want)
	}
}

func TestNoSecretIsAColumn(t *testing.T) {
	for _, name := range []string{
		"password", "Password", "clientSecret", "userPassword", "unicodePwd", "schemas", "organization", "a.b", "",
		"pinCode", "PIN", "userPIN", "PINs", "pins", "door_pin", "door-pin", "pin2", "2pin", "OTPCode", "totpOTP", "otp", "recoveryCode", "recoverycodes",
		"accessToken", "tokens", "apiKey", "APIKeys", "key", "sshPublicKey", "ssn", "employeeSSN", "privateEmail", "passphrase", "userCredentials",
	} {
		for _, text := range []string{`{"` + name + `":"hunter2"}`, `{"urn:x:User":{"` + name + `":"hunter2"}}`} {
			if got := directory.AttributeNames(json.RawMessage(text)); len(got) != 0 || directory.ListedAttributes(json.RawMessage(text)).Text(name) != "" {
				t.Errorf("of %s are listed %v", text, got)
			}
		}
	}
	if got := directory.ListedAttributes(json.RawMessage(`{"thing":{"password":"hunter2","colour":"red"}}`)).Text("thing"); got != "red" {
		t.Errorf("a thing with a password is told as %q, want red", got)
	}
}

func TestWhatOnlyHasTheLettersOfASecretIsAColumn(t *testing.T) {
	for _, name := range []string{"shippingAddress", "shipping", "opinion", "spin", "Pinewood", "monkey", "keyboard", "hotkeyless", "optOut", "option", "privateer", "classname"} {
		if got := directory.AttributeNames(json.RawMessage(`{"` + name + `":"x"}`)); !slices.Equal(got, []string{name}) {
			t.Errorf("of %s are listed %v", name, got)
		}
	}
}

func FuzzListedAttributes(f *testing.F) {
	f.Add([]byte(rich))
	f.Add([]byte(`[]`))
	f.Add([]byte(`{"name":7,"urn:x":[1]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, name := range directory.AttributeNames(text) {
			if strings.Contains(strings.ToLower(name), "password") || strings.ContainsAny(name, ". \n") {
				t.Errorf("%q is listed", name)
			}
			_ = directory.ListedAttributes(text).Text(name)
		}
	})
}
