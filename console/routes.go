package console

import (
	"net/http"
	"strings"
)

// routes has every page.
func (c *Console) routes() {
	c.mux.HandleFunc("GET /static/", c.asset)
	c.mux.HandleFunc("GET /login", c.loginPage)
	c.mux.HandleFunc("POST /login", c.useLink)
	if c.OIDC != nil {
		c.mux.HandleFunc("POST /login/oidc", c.beginOIDC)
		c.mux.HandleFunc("GET /login/oidc/callback", c.endOIDC)
	}
	c.mux.HandleFunc("POST /logout", c.logout)
	c.mux.HandleFunc("GET /live", c.live)
	c.mux.HandleFunc("/", c.noPage)
	c.sourcePages()
	c.accessPages()
	c.runPages()
	c.auditPages()
	c.tokenPages()
	c.settingPages()
	c.webhookPages()
	c.userPages()
	c.groupPages()
	c.projectPages()
	c.searchPages()
}

// noPage answers for every path that is no page. Programs that lost their way
// get no sign-in page.
func (c *Console) noPage(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, "404 no such address", http.StatusNotFound)
		return
	}
	viewer, err := c.viewer(r)
	if err != nil {
		c.askToSignIn(w, r)
		return
	}
	c.fail(w, r, viewer, errNoPage)
}
