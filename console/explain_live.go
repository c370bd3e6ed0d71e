package console

import "github.com/usherd/usherd/admin"

// liveWord is how somebody in a directory stands here, in a word or two.
func liveWord(e admin.LiveEntry) string {
	switch e.Standing {
	case admin.LiveOutside:
		return "outside the filter"
	case admin.LiveRejected:
		return "can't be taken over"
	case admin.LiveRead:
		if e.Renamed() {
			return "here by another name"
		}
		return "here already"
	case admin.LiveGone:
		return "was here before"
	case admin.LiveDisabled:
		return "disabled there"
	}
	return "not read yet"
}

func liveTone(e admin.LiveEntry) Tone {
	switch e.Standing {
	case admin.LiveOutside, admin.LiveDisabled:
		return Warn
	case admin.LiveRejected:
		return Bad
	}
	return Info
}
