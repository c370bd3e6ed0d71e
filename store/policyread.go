package store

import (
	"encoding/hex"
	"errors"

	"github.com/usherd/usherd/directory"
)

// A policyItem is one row of policy_item.
type policyItem struct {
	section directory.Section
	key     string
	body    string
}

func scanItem(row scanner) (it policyItem, err error) {
	err = row.Scan(&it.section, &it.key, &it.body)
	return it, err
}

// addTo adds the item to its section.
func (it policyItem) addTo(p *directory.Policy) error {
	switch it.section {
	case directory.SectionProjects:
		return appendItem(it, &p.Projects)
	case directory.SectionFeatures:
		return appendItem(it, &p.Features)
	case directory.SectionOutputs:
		return appendItem(it, &p.Outputs)
	case directory.SectionIntegrations:
		return appendItem(it, &p.Integrations)
	case directory.SectionResources:
		return appendItem(it, &p.Resources)
	case directory.SectionRoles:
		return appendItem(it, &p.Roles)
	case directory.SectionMappings:
		return appendItem(it, &p.Mappings)
	case directory.SectionDefaultRole:
		p.DefaultRole = directory.RoleName(it.body)
	case directory.SectionTests:
		p.Tests = it.body
	default:
		return errors.New("the kept policy has the unknown section " + string(it.section))
	}
	return nil
}

func appendItem[T any](it policyItem, to *[]T) error {
	var one T
	err := unmarshal("policy item "+string(it.section)+"/"+it.key, it.body, &one)
	*to = append(*to, one)
	return err
}

func scanBinding(row scanner) (b directory.Binding, err error) {
	err = row.Scan(&b.Mapping, &b.Group, &b.Num, &b.State)
	return b, err
}

func scanSource(row scanner) (s directory.Source, err error) {
	var settings string
	var created, modified int64
	err = row.Scan(&s.Name, &s.Kind, &s.State, &s.Rank, &settings, &created, &modified)
	s.Settings, s.Created, s.Modified = raw(settings), fromMS(created), fromMS(modified)
	return s, err
}

// tokenColumns are what scanToken reads.
const tokenColumns = `id, kind, name, source, scopes, created, expires, revoked`

func scanToken(row scanner) (directory.Token, error) {
	return scanTokenAnd(row)
}

func scanKeptToken(row scanner) (k directory.KeptToken, err error) {
	var sum string
	if k.Token, err = scanTokenAnd(row, &sum); err != nil {
		return k, err
	}
	if k.Hash, err = hex.DecodeString(sum); err != nil {
		return k, errors.New("a kept token hash is damaged")
	}
	return k, nil
}

// scanTokenAnd reads tokenColumns and further ones.
func scanTokenAnd(row scanner, more ...any) (t directory.Token, err error) {
	var scopes string
	var created, expires, revoked int64
	dest := append([]any{&t.ID, &t.Kind, &t.Name, &t.Source, &scopes, &created, &expires, &revoked}, more...)
	if err = row.Scan(dest...); err != nil {
		return t, err
	}
	t.Created, t.Expires, t.Revoked = fromMS(created), fromMS(expires), fromMS(revoked)
	if scopes != "" {
		err = unmarshal("list of token scopes", scopes, &t.Scopes)
	}
	return t, err
}
