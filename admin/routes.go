package admin

import (
	"net/http"
	"time"

	"github.com/usherd/usherd/directory"
)

// list is how the API wraps lists, so that they can grow members.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor,omitempty"` // if a limit was given and there are more
}

func (l list[T]) next() string    { return l.Next }
func (l Listing[T]) next() string { return l.Next }

func listOf[T any](items []T, err error) (answer, error) {
	if items == nil {
		items = []T{}
	}
	return answer{body: list[T]{Items: items}}, err
}

func outcome[T any](body T, err error) (answer, error) { return answer{body: body}, err }

func created[T any](body T, err error) (answer, error) {
	return answer{status: http.StatusCreated, body: body}, err
}

func (c call) source() directory.SourceName { return directory.SourceName(c.PathValue("source")) }

func (a *API) listSources(c call) (answer, error) { return listOf(a.Service.Sources(c.Context())) }

func (a *API) addSource(c call) (answer, error) {
	var n NewSource
	if err := c.body(&n); err != nil {
		return answer{}, err
	}
	return created(a.Service.AddSource(c.Context(), c.by, n))
}

func (a *API) setSourceState(c call) (answer, error) {
	var body sourceStateBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	switch body.State {
	case directory.SourceActive, directory.SourcePaused, directory.SourceDisabled:
		return outcome(a.Service.SetSourceState(c.Context(), c.by, c.source(), body.State, body.From))
	}
	return answer{}, invalidAt("/state", "state %q is not one of active, paused, disabled", body.State)
}

func (a *API) removeSource(c call) (answer, error) {
	n, err := c.number("gaining")
	if err != nil {
		return answer{}, err
	}
	r := Removal{KeepPeople: c.URL.Query().Get("people") == "keep", Gaining: n}
	return outcome(a.Service.RemoveSource(c.Context(), c.by, c.source(), r))
}

func (a *API) testSource(c call) (answer, error) {
	return outcome(a.Service.TestSource(c.Context(), c.source()))
}

func (a *API) runSync(c call) (answer, error) {
	return outcome(a.Service.RunSync(c.Context(), c.by, c.source()))
}

type cancelBody struct {
	Run string `json:"run,omitempty"` // the id of the run that is meant; empty: the one under way
}

func (a *API) cancelSync(c call) (answer, error) {
	var body cancelBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.CancelSync(c.Context(), c.by, c.source(), body.Run))
}

func (a *API) planSync(c call) (answer, error) {
	return outcome(a.Service.PlanSync(c.Context(), c.source()))
}

func (a *API) syncStatus(c call) (answer, error) {
	n, err := c.number("runs")
	if err != nil {
		return answer{}, err
	}
	name := directory.SourceName(c.URL.Query().Get("source"))
	return listOf(a.Service.SyncStatus(c.Context(), name, pageSize(n)))
}

func (a *API) listHolds(c call) (answer, error) { return listOf(a.Service.Holds(c.Context())) }

func (a *API) showHold(c call) (answer, error) {
	return outcome(a.Service.Hold(c.Context(), c.source()))
}

type holdBody struct {
	Hash string `json:"hash"`
}

func (a *API) approveHold(c call) (answer, error) {
	var body holdBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.ApproveHold(c.Context(), c.by, c.source(), body.Hash))
}

func (a *API) discardHold(c call) (answer, error) {
	var body holdBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	err := a.Service.DiscardHold(c.Context(), c.source(), body.Hash)
	return outcome(map[string]any{"source": c.source(), "discarded": true}, err)
}

func (a *API) listTokens(c call) (answer, error) { return listOf(a.Service.Tokens(c.Context())) }

func (a *API) createToken(c call) (answer, error) {
	var body newTokenBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	const most = int64(maxTokenLife / time.Second)
	if body.Seconds < 0 || body.Seconds > most {
		return answer{}, invalidAt("/life_seconds", "life_seconds must be from 60 to %d", most)
	}
	body.Life = time.Duration(body.Seconds) * time.Second
	return created(a.Service.CreateToken(c.Context(), c.by, body.NewToken))
}

func (a *API) revokeToken(c call) (answer, error) {
	return outcome(a.Service.RevokeToken(c.Context(), c.by, c.PathValue("id")))
}

func (a *API) listMappings(c call) (answer, error) { return listOf(a.Service.Mappings(c.Context())) }

func (a *API) confirmMapping(c call) (answer, error) {
	var body confirmBody
	if err := c.body(&body); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.ConfirmMapping(c.Context(), c.by, c.PathValue("name"), body.Group))
}
