package admin

import (
	"bytes"
	"context"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A policyItem names one item of a policy. default_role and tests have no key.
type policyItem struct {
	section directory.Section
	key     string
}

// name is how an item is called: SECTION/KEY.
func (i policyItem) name() string { return strings.TrimSuffix(string(i.section)+"/"+i.key, "/") }

// cutItem is the way back from name.
func cutItem(name string) (policyItem, bool) {
	section, key, _ := strings.Cut(name, "/")
	item := policyItem{directory.Section(section), key}
	return item, sectionNamed(item.section) != nil
}

// text is the item as a policy file writes it; empty if p has none.
func (i policyItem) text(p directory.Policy) string {
	section := sectionNamed(i.section)
	if section == nil {
		return ""
	}
	var only directory.Policy
	section.pick(&only, p, i.key)
	_, text, _ := bytes.Cut(authz.Export(only), []byte("\n")) // after apiVersion
	return string(text)
}

// ItemText is one item of the present policy as a policy file of it alone: what
// a draft of it begins with.
func (s *Service) ItemText(ctx context.Context, section directory.Section, key string) (string, error) {
	a, err := s.reads(ctx, WritePolicy)
	if err != nil {
		return "", err
	}
	item := policyItem{section, key}
	text := item.text(a.view.Policy().Policy)
	if text == "" {
		return "", notFound("there is no %s", item.name())
	}
	return "apiVersion: " + authz.APIVersion + "\n" + text, nil
}
