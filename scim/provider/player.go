package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Target is the endpoint that is talked to.
type Target struct {
	URL   string // up to and with /v2
	Token string
	HTTP  *http.Client // default: one that gives up after 60 s, as providers do
}

// A Step is one request of a conversation.
type Step struct {
	Number int           `json:"number"`
	Name   string        `json:"name"`
	Method string        `json:"method"`
	Path   string        `json:"path"`
	Status int           `json:"status,omitempty"` // 0: no answer came
	OK     bool          `json:"ok"`
	Detail string        `json:"detail,omitempty"` // what is wrong
	Do     string        `json:"do,omitempty"`     // what to do about it
	Took   time.Duration `json:"took_ns"`
}

// conversations are what can be played, by provider.
var conversations = map[string]struct {
	agent string
	talk  func(*player)
}{
	"okta":      {"Okta SCIM Client 1.0.0", okta},
	"entra":     {"Microsoft Entra ID provisioning", entra},
	"authentik": {"goauthentik.io/2025.4", authentik},
}

// Names are the providers that can be played.
func Names() []string { return []string{"okta", "entra", "authentik"} }

// Play holds a conversation and tells report of each step as it ends. It
// returns whether all were well; after a step without which the rest makes no
// sense it ends early. The error says that there is no such provider.
func Play(ctx context.Context, name string, to Target, report func(Step)) (ok bool, err error) {
	c, known := conversations[name]
	if !known {
		return false, fmt.Errorf("no conversation of %q; there are %s", name, strings.Join(Names(), ", "))
	}
	p := &player{ctx: ctx, to: to, agent: c.agent, report: report, ok: true, mark: strconv.FormatInt(time.Now().UnixNano(), 36)}
	p.to.HTTP = cmp.Or(p.to.HTTP, &http.Client{Timeout: time.Minute})
	c.talk(p)
	return p.ok, nil
}

// A player is one conversation under way. After a fatal step it does nothing.
type player struct {
	ctx    context.Context
	to     Target
	agent  string
	report func(Step)
	mark   string // makes names unlike those of an earlier conversation
	n      int
	ok     bool
	over   bool
}

// A reply is a decoded answer.
type reply struct {
	status int
	doc    any
}

// at follows a path such as Resources/0/id.
func (r reply) at(path string) any {
	v := r.doc
	for part := range strings.SplitSeq(path, "/") {
		switch t := v.(type) {
		case map[string]any:
			v = t[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(t) {
				return nil
			}
			v = t[i]
		default:
			return nil
		}
	}
	return v
}

func (r reply) text(path string) string {
	s, _ := r.at(path).(string)
	return s
}

// A demand says what is wrong with an answer, or nothing.
type demand func(reply) string

// is demands a value; numbers are float64.
func is(path string, want any) demand {
	return func(r reply) string {
		if got := r.at(path); got != want {
			return fmt.Sprintf("%s is %v, want %v", path, got, want)
		}
		return ""
	}
}

// has demands that there is a value.
func has(path string) demand {
	return func(r reply) string {
		if r.at(path) == nil {
			return path + " is missing"
		}
		return ""
	}
}

// members demands exactly these members, in any order.
func members(want ...string) demand {
	return func(r reply) string {
		list, _ := r.at("members").([]any)
		got := make([]string, 0, len(list))
		for _, m := range list {
			v, _ := m.(map[string]any)
			got = append(got, fmt.Sprint(v["value"]))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			return fmt.Sprintf("the members are %v, want %v", got, want)
		}
		return ""
	}
}

// A say is one request with what must come of it.
type say struct {
	name         string
	method, path string
	body         string
	want         []int // statuses
	demands      []demand
	do           string
	fatal        bool
}

func (p *player) say(s say) reply {
	if p.over {
		return reply{}
	}
	p.n++
	step := Step{Number: p.n, Name: s.name, Method: s.method, Path: s.path}
	begun := time.Now()
	r, err := p.send(s)
	step.Took, step.Status = time.Since(begun), r.status
	switch {
	case err != nil:
		step.Detail, step.Do, s.fatal = err.Error(), "let the provider reach "+p.to.URL+": address, proxy, certificate", true
	case !slices.Contains(s.want, r.status):
		step.Detail = fmt.Sprintf("answered %d, want %v: %s", r.status, s.want, r.text("detail"))
		step.Do = cmp.Or(s.do, advice(r.status))
	default:
		for _, d := range s.demands {
			if step.Detail = d(r); step.Detail != "" {
				step.Do = cmp.Or(s.do, "report it: this daemon should answer otherwise")
				break
			}
		}
		step.OK = step.Detail == ""
	}
	p.ok = p.ok && step.OK
	p.over = !step.OK && s.fatal
	p.report(step)
	return r
}

// advice is what to do about an unexpected status.
func advice(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "give the provider a token of the source: usherd token create --kind scim"
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return "see whether the daemon is overloaded or the source is paused: usherd doctor"
	case status >= http.StatusInternalServerError:
		return "see the daemon's log"
	case status < http.StatusMultipleChoices:
		return "report it: this daemon should refuse that"
	}
	return "see the provisioning log: usherd source log SOURCE --failed"
}

func (p *player) send(s say) (reply, error) {
	req, err := http.NewRequestWithContext(p.ctx, s.method, p.to.URL+s.path, strings.NewReader(s.body))
	if err != nil {
		return reply{}, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+p.to.Token)
	req.Header.Set("User-Agent", p.agent)
	req.Header.Set("Accept", "application/scim+json")
	if s.body != "" {
		req.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	}
	resp, err := p.to.HTTP.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	const most = 16 << 20
	raw, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return reply{status: resp.StatusCode}, fmt.Errorf("reading the answer: %w", err)
	}
	r := reply{status: resp.StatusCode}
	if raw = bytes.TrimSpace(raw); len(raw) > 0 {
		if err := json.Unmarshal(raw, &r.doc); err != nil {
			return r, fmt.Errorf("%d answers with no JSON, so it is not this daemon that answers: %w", resp.StatusCode, err)
		}
	}
	return r, nil
}

// filter makes the query of a filter.
func filter(text string) string {
	return "filter=" + strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// name makes a userName that nobody has.
func (p *player) name(who string) string {
	return "usherd-test-" + who + "-" + p.mark + "@sandbox.invalid"
}

// patch is a PatchOp message.
func patch(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
}
