package admin

import (
	"net/http"
	"strconv"

	"github.com/usherd/usherd/directory"
)

// tagged sets the ETag of an answer whose object has a version: what If-Match of
// an edit compares. What surrounds the object, members or holders, has no part
// in it, so that it says nothing of a cached answer.
func (a *API) tagged(c call, op operation, body any, r rendered) rendered {
	if op.etag == "" || r.Status != http.StatusOK {
		return r
	}
	version := ""
	switch body := body.(type) {
	case GroupPage:
		version = strconv.FormatInt(body.Version, 10)
	case UserPage:
		version = body.etag()
	case Draft:
		version = strconv.FormatInt(body.Version, 10)
	default:
		view, err := a.Service.present(c.Context())
		if err != nil {
			return a.failure(c, err)
		}
		version = strconv.FormatInt(int64(view.Policy().Revision), 10)
	}
	if version == "" {
		return r
	}
	r.Header.Set("ETag", `"`+version+`"`)
	return r
}

// etag is the version that an edit or a deletion of the user compares: that of
// the local identity, or of the first if there is none.
func (p *UserPage) etag() string {
	version := int64(0)
	for i := range p.Identities {
		id := &p.Identities[i]
		if version == 0 || id.Source == directory.Local {
			version = id.Version
		}
	}
	if version == 0 {
		return ""
	}
	return strconv.FormatInt(version, 10)
}
