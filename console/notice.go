package console

import (
	"encoding/base64"
	"net/http"
	"time"
)

const noticeCookie = "usherd-notice"

// setNotice has the next page show a passing notice.
func (c *Console) setNotice(w http.ResponseWriter, text string) {
	http.SetCookie(w, c.cookie(noticeCookie, base64.RawURLEncoding.EncodeToString([]byte(text)), time.Minute))
}

// takeNotice returns the notice that a page is to show, once.
func (c *Console) takeNotice(w http.ResponseWriter, r *http.Request) string {
	held, err := r.Cookie(noticeCookie)
	if err != nil {
		return ""
	}
	gone := c.cookie(noticeCookie, "", 0)
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	text, err := base64.RawURLEncoding.DecodeString(held.Value)
	if err != nil || len(text) > 500 {
		return ""
	}
	return string(text)
}
