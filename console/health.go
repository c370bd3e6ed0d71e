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
	status, err := c.Service.SyncStatus(req.Context(), "", 2)
	if err != nil {
		return Cell{} // the page itself says what is wrong
	}
	choices, err := c.Service.Choices(req.Context())
	if err != nil {
		return Cell{}
	}
	sources, paused, failed, stopped := 0, 0, 0, 0
	for _, s := range choices.Sources {
		if s.Kind != directory.KindLocal && s.State != directory.SourceRemoved {
			sources++
		}
		if s.State == directory.SourcePaused {
			paused++
		}
	}
	for _, s := range status {
		switch {
		case s.State != directory.SourceActive:
		case fails(s):
			failed++
		case s.AllCancelled():
			stopped++
		}
	}
	return syncCell(sources, held, failed, stopped, paused)
}

// fails reports whether a source can't be read.
func fails(s admin.SyncStatus) bool {
	last := s.Telling
	return last != nil && (last.Result == directory.RunFailed || last.Result == directory.RunIncomplete)
}

// syncCell is the worst of what there is to say.
func syncCell(sources, held, failed, stopped, paused int) Cell {
	out := Cell{Href: "/sources", Tone: Good, Text: "Sync OK"}
	switch {
	case failed > 0:
		out.Tone, out.Text = Bad, "Sync fails"
	case held > 0:
		out.Href, out.Tone, out.Text = "/holds", Warn, "Sync held"
	case stopped > 0:
		out.Tone, out.Text = Warn, "Sync cancelled"
	case paused > 0:
		out.Tone, out.Text = Warn, "Sync paused"
	case sources == 0:
		return Cell{}
	}
	return out
}
