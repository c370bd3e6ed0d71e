package admin

import (
	"context"
	"errors"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// maxAlike bounds how many people are looked at for the one who was meant.
const maxAlike = 200

// meantUser is the userName that a name which nobody bears was probably meant
// to be, or nothing: it may be the beginning of one, or a slip of the pen past
// the second letter. Who may not read about people is told of nobody.
func (s *Service) meantUser(ctx context.Context, asked string) (string, error) {
	asked = strings.ToLower(asked)
	local, _, _ := strings.Cut(asked, "@")
	for _, part := range []string{asked, local, firstLetters(local)} {
		if part == "" {
			continue
		}
		list, err := s.Users(ctx, UserFilter{Name: part, Limit: maxAlike})
		if errors.Is(err, ErrForbidden) || errors.Is(err, directory.ErrInvalid) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		var locals, begun []string
		named := map[string]string{} // by what stands before the @, in small letters
		for _, u := range list.Items {
			name := strings.ToLower(u.UserName)
			local, _, _ := strings.Cut(name, "@")
			locals, named[local] = append(locals, local), u.UserName
			if strings.HasPrefix(name, asked) {
				begun = append(begun, u.UserName)
			}
		}
		if len(begun) == 1 {
			return begun[0], nil
		}
		if near := authz.Nearest(local, locals); near != "" {
			return named[near], nil
		}
	}
	return "", nil
}

// firstLetters are the first two letters of a word, with which a slip of the pen
// rarely begins.
func firstLetters(word string) string {
	letters := []rune(word)
	return string(letters[:min(len(letters), 2)])
}
