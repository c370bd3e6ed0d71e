package console

import "net/http"

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
	c.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		viewer, err := c.viewer(r)
		if err != nil {
			c.askToSignIn(w, r)
			return
		}
		c.fail(w, r, viewer, errNoPage)
	})
	c.sourcePages()
}
