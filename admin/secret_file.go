package admin

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
)

// mayNameFiles refuses settings of a source that name a file of the daemon's
// machine, unless they come from the owner of the machine, or the file is in the
// folder that is configured for it: else who may add a source could have any
// file read, and its content sent to a server of theirs.
func (s *Service) mayNameFiles(a *Authority, settings json.RawMessage) error {
	if a.Root() || len(settings) == 0 {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(settings, &members); err != nil {
		return invalid("settings: not a JSON object")
	}
	for name, value := range members {
		var path string
		// Keys are matched without regard to case, as they are decoded.
		key := strings.ToLower(name)
		if key == "profile" || !strings.HasSuffix(key, "file") || json.Unmarshal(value, &path) != nil || path == "" {
			continue
		}
		if s.SecretFolder == "" || !filepath.IsAbs(path) || !strings.HasPrefix(filepath.Clean(path), filepath.Clean(s.SecretFolder)+string(filepath.Separator)) {
			return fmt.Errorf("%w: %s names a file of this machine; do this on the machine itself, or put the file into the folder that the configuration names for secrets", ErrForbidden, name)
		}
	}
	return nil
}
