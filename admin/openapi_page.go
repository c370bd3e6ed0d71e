package admin

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A pageRoute is one route as the page shows it.
type pageRoute struct {
	Method, Path string
	*routeDoc
	Sends, Gets, Status string
}

// servePage shows the document to people: plain HTML. Its one script chooses the
// theme that the reader chose in the console of the same origin.
func (a *API) servePage(w http.ResponseWriter, _ *http.Request) {
	d := a.Document()
	sections := map[string][]pageRoute{}
	for path, methods := range d.Paths {
		for method, r := range methods {
			row := pageRoute{Method: strings.ToUpper(method), Path: path, routeDoc: r}
			if r.Body != nil {
				row.Sends = refName(r.Body.Content["application/json"])
			}
			for status, answer := range r.Answers {
				if status != "default" && (row.Status == "" || status < row.Status) {
					row.Status, row.Gets = status, refName(answer.Content["application/json"])
				}
			}
			sections[r.Tags[0]] = append(sections[r.Tags[0]], row)
		}
	}
	for _, rows := range sections {
		slices.SortFunc(rows, func(x, y pageRoute) int { return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Method, y.Method)) })
	}
	schemas := map[string]string{}
	for name, schema := range d.Components.Schemas {
		text, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		schemas[name] = string(text)
	}
	var b bytes.Buffer
	err := docPage.Execute(&b, map[string]any{
		"Info": d.Info, "Tags": slices.Sorted(maps.Keys(sections)), "Sections": sections,
		"Names": slices.Sorted(maps.Keys(schemas)), "Schemas": schemas, "Paragraphs": strings.Split(d.Info.Description, "\n"),
	})
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'sha256-"+docThemeHash+"'; style-src 'sha256-"+docStyleHash+"'; frame-ancestors 'none'; base-uri 'none'")
	_, _ = w.Write(b.Bytes()) // whoever asked may have left
}

// cspHash allows an inline style by its hash.
func cspHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// refName is the name of the component that a body is.
func refName(c contentOne) string {
	if c.Schema == nil {
		return ""
	}
	return strings.TrimPrefix(c.Schema.Ref, "#/components/schemas/")
}

const docStyle = `:root{color-scheme:light dark}:root[data-theme=light]{color-scheme:light}:root[data-theme=dark]{color-scheme:dark}` +
	`html{background:light-dark(#f6f7f8,#12161a);color:light-dark(#1b2126,#e7ecf0)}a{color:light-dark(#0a5f8a,#7cc4ee)}` +
	`body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:0 auto;padding:1rem}` +
	`code,pre{font:13px/1.5 ui-monospace,monospace}details{border-top:1px solid #8884;padding:.5rem 0}summary{cursor:pointer}` +
	`summary b{display:inline-block;min-width:4.5rem}table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}` +
	`pre{overflow-x:auto;border:1px solid #8884;padding:.5rem}nav a{margin-right:.8rem}`

var docStyleHash = cspHash(docStyle)

// docTheme reads what the switch of the console keeps; without it the system
// decides.
const docTheme = `try{const t=localStorage.getItem("usherd-theme");if(t==="light"||t==="dark")document.documentElement.dataset.theme=t}catch{}`

var docThemeHash = cspHash(docTheme)

var docPage = template.Must(template.New("api").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Info.Title}}</title><script>` + docTheme + `</script><style>` + docStyle + `</style></head>
<body><main><h1>{{.Info.Title}}</h1>
{{range .Paragraphs}}{{if .}}<p>{{.}}</p>{{end}}{{end}}
<p><a href="` + DocumentPath + `">The same as OpenAPI 3.1</a></p>
<nav aria-label="Sections">{{range .Tags}}<a href="#{{.}}">{{.}}</a> {{end}}<a href="#schemas">schemas</a></nav>
{{$sections := .Sections}}{{range .Tags}}<h2 id="{{.}}">{{.}}</h2>
{{range index $sections .}}<details id="{{.ID}}"><summary><b>{{.Method}}</b> <code>{{.Path}}</code> {{.Summary}}</summary>
{{if .Parameters}}<table><tr><th>parameter</th><th>in</th><th>what it says</th></tr>
{{range .Parameters}}<tr><td><code>{{.Name}}</code>{{if .Required}} (needed){{end}}</td><td>{{.In}}</td><td>{{.Description}}</td></tr>
{{end}}</table>{{end}}
{{if .Sends}}<p>Body: <a href="#schema-{{.Sends}}">{{.Sends}}</a></p>{{end}}
<p>Answer: {{.Status}}{{if .Gets}} <a href="#schema-{{.Gets}}">{{.Gets}}</a>{{end}}, or a <a href="#schema-Problem">Problem</a></p></details>
{{end}}{{end}}
<h2 id="schemas">schemas</h2>
{{$schemas := .Schemas}}{{range .Names}}<details id="schema-{{.}}"><summary><code>{{.}}</code></summary><pre>{{index $schemas .}}</pre></details>
{{end}}</main></body></html>
`))
