package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const (
	spaceSelection = "console-selection"
	selectionLife  = time.Hour
	maxSelection   = 10_000
)

var errSelection = fmt.Errorf("%w: the selection is gone; tick the rows again", directory.ErrNotFound)

// A selection is what somebody ticked in a list, kept so that the pages of an
// action on many have an address.
type selection struct {
	By  directory.UserID `json:"by"`
	IDs []string         `json:"ids"`
}

// everything yields the ids of all that match a list's address.
type everything func(req request, values url.Values, yield func(id string) error) error

var errEnough = errors.New("enough")

// ticked keeps what a list's form sent: the ticked rows, or all that match.
func (c *Console) ticked(req request, all everything) (string, error) {
	if !slices.ContainsFunc([]admin.Action{admin.WriteUsers, admin.BlockUsers, admin.WriteGroups, admin.BlockGroups, admin.WriteGrants}, req.viewer.Anywhere) {
		return "", fmt.Errorf("%w: nothing of what is ticked here is yours to change", admin.ErrForbidden)
	}
	ids := req.PostForm["id"]
	if req.PostForm.Get("all") != "" {
		at, err := url.Parse(req.PostForm.Get("filter"))
		if err != nil {
			return "", errForm
		}
		ids = nil
		err = all(req, at.Query(), func(id string) error {
			if len(ids) == maxSelection {
				return errEnough
			}
			ids = append(ids, id)
			return nil
		})
		if errors.Is(err, errEnough) {
			return "", fmt.Errorf("%w: more than %s match; narrow the list", directory.ErrInvalid, thousands(maxSelection))
		}
		if err != nil {
			return "", err
		}
	}
	return c.selected(req, ids...)
}

// selected keeps ids under a new key.
func (c *Console) selected(req request, ids ...string) (string, error) {
	if len(ids) == 0 {
		return "", fmt.Errorf("%w: tick at least one row", directory.ErrInvalid)
	}
	slices.Sort(ids)
	value, err := json.Marshal(selection{req.viewer.ID, slices.Compact(ids)})
	if err != nil {
		return "", fmt.Errorf("keeping a selection: %w", err)
	}
	key := newSecret()
	_, err = c.Keeper.PutKept(req.Context(), directory.Kept{Space: spaceSelection, Key: key, Value: value, Expires: c.Now().Add(selectionLife)})
	if err != nil {
		return "", fmt.Errorf("keeping a selection: %w", err)
	}
	return key, nil
}

// selection returns what the viewer ticked.
func (c *Console) selection(req request, key string) ([]string, error) {
	kept, err := c.Keeper.Kept(req.Context(), spaceSelection, key)
	if errors.Is(err, directory.ErrNotFound) || key == "" {
		return nil, errSelection
	}
	if err != nil {
		return nil, fmt.Errorf("looking up a selection: %w", err)
	}
	var s selection
	if err := json.Unmarshal(kept.Value, &s); err != nil || s.By != req.viewer.ID {
		return nil, errSelection
	}
	return s.IDs, nil
}
