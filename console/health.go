package console

import (
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// syncHealth says in a word how the sources are doing. Those that are read speak
// through their last run; one that pushes is well until somebody pauses it.
func (c *Console) syncHealth(req request, held int) Cell {
	if req.viewer == nil || !req.viewer.Can(admin.ReadSources) || !req.viewer.Can(admin.ReadDirectory) {
		return Cell{}
	}
	status, err := c.Service.SyncStatus(req.Context(), "", toldRuns)
	if err != nil {
		return Cell{} // the page itself says what is wrong
	}
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return Cell{}
	}
	sources, paused, failed := 0, 0, 0
	for _, s := range choices.Sources {
		if s.Kind != directory.KindLocal && s.State != directory.SourceRemoved {
			sources++
		}
		if s.State == directory.SourcePaused {
			paused++
		}
	}
	for _, s := range status {
		if s.State == directory.SourceActive && fails(s) {
			failed++
		}
	}
	return syncCell(sources, held, failed, paused)
}

// toldRuns is how many runs are looked at for one that nobody cancelled.
const toldRuns = 5

// fails reports whether a source can't be read.
func fails(s admin.SyncStatus) bool {
	last := s.Telling()
	return last != nil && (last.Result == directory.RunFailed || last.Result == directory.RunIncomplete)
}

// syncCell is the worst of what there is to say.
func syncCell(sources, held, failed, paused int) Cell {
	out := Cell{Href: "/sources", Tone: Good, Text: "Sync OK"}
	switch {
	case failed > 0:
		out.Tone, out.Text = Bad, "Sync fails"
	case held > 0:
		out.Href, out.Tone, out.Text = "/holds", Warn, "Sync held"
	case paused > 0:
		out.Tone, out.Text = Warn, "Sync paused"
	case sources == 0:
		return Cell{}
	}
	return out
}
