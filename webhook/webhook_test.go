package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/webhook"
)

// A house is a book and a sender over a store, and a clock.
type house struct {
	*webhook.Book
	t        *testing.T
	store    *store.Store
	sender   *webhook.Sender
	mu       sync.Mutex
	now      time.Time
	events   []webhook.Event
	reported []string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: time.Now()}
	var err error
	if h.store, err = store.Open(t.Context(), store.Config{DSN: filepath.Join(t.TempDir(), "usherd.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.store.Close() })
	client := &webhook.Client{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Agent: "usherd/test", Timeout: 5 * time.Second, Now: h.clock}
	h.Book = &webhook.Book{Keeper: h.store, Key: []byte(strings.Repeat("k", 32)), Now: h.clock, Client: client}
	h.sender = &webhook.Sender{
		Book: h.Book, Source: h, Leases: h.store, Holder: "a", Every: time.Millisecond,
		Report: func(msg, endpoint string, err error) { h.reported = append(h.reported, fmt.Sprint(msg, endpoint, err)) },
	}
	return h
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) later(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// Events implements [webhook.Source].
func (h *house) Events(_ context.Context, after json.RawMessage) ([]webhook.Event, json.RawMessage, error) {
	var n int
	if len(after) > 0 {
		if err := json.Unmarshal(after, &n); err != nil {
			return nil, nil, err
		}
	}
	place, err := json.Marshal(len(h.events))
	return h.events[n:], place, err
}

func (h *house) happens(typ, key string) {
	h.events = append(h.events, webhook.Event{Type: typ, Key: key, Time: h.clock(), Data: map[string]string{"id": key}})
}

func (h *house) once() {
	h.t.Helper()
	if err := h.sender.Once(h.t.Context()); err != nil {
		h.t.Fatalf("Once = %v", err)
	}
}

func (h *house) add(url string, events ...string) webhook.MadeEndpoint {
	h.t.Helper()
	made, err := h.Add(h.t.Context(), url, events)
	if err != nil {
		h.t.Fatalf("Add(%s) = %v", url, err)
	}
	return made
}

// only is the one delivery of an endpoint.
func (h *house) only(id string) webhook.Delivery {
	h.t.Helper()
	all, err := h.Deliveries(h.t.Context(), id)
	if err != nil || len(all) != 1 {
		h.t.Fatalf("Deliveries = %v, %v; want one", all, err)
	}
	return all[0]
}

// A receiver verifies signatures and answers as it is told.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	secret  string
	answer  func(http.ResponseWriter, *http.Request)
	got     []string // ids and bodies of those that verified
	refused []error
	clock   func() time.Time
}

func newReceiver(t *testing.T, clock func() time.Time) *receiver {
	r := &receiver{clock: clock}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		err = webhook.Verify(r.secret, req.Header.Get("Webhook-Id"), req.Header.Get("Webhook-Timestamp"), req.Header.Get("Webhook-Signature"), body, r.clock())
	}
	if err != nil {
		r.refused = append(r.refused, err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.answer != nil {
		r.answer(w, req)
		return
	}
	r.got = append(r.got, req.Header.Get("Webhook-Id")+" "+string(body))
}

func TestAReceiverThatVerifiesGetsEachEventOnce(t *testing.T) {
	h := newHouse(t)
	r := newReceiver(t, h.clock)
	e := h.add(r.URL+"/hook", webhook.GroupBlocked)
	r.secret = e.Secret
	h.happens(webhook.GroupBlocked, "g1")
	h.happens(webhook.UserDeactivated, "u1") // nobody asked for it
	h.once()
	h.once()
	if len(r.got) != 1 || len(r.refused) != 0 || !strings.Contains(r.got[0], `"type":"group.blocked"`) || !strings.Contains(r.got[0], `"data":{"id":"g1"}`) {
		t.Errorf("the receiver got %v and refused %v", r.got, r.refused)
	}
	if d := h.only(e.ID); d.State != webhook.Delivered || d.Attempts != 1 || d.Status != 200 {
		t.Errorf("the delivery is %+v", d)
	}
	if _, err := h.Put(t.Context(), h.events[0], ""); err != nil { // as after a crash
		t.Fatal(err)
	}
	h.once()
	if len(r.got) != 1 {
		t.Errorf("the same event again was sent again: %v", r.got)
	}
	if d, err := h.Resend(t.Context(), h.only(e.ID).ID); err != nil || d.State != webhook.Pending {
		t.Errorf("Resend = %+v, %v", d, err)
	}
	h.once()
	if len(r.got) != 2 || r.got[0] != r.got[1] {
		t.Errorf("after Resend the receiver has %v, want the same twice", r.got)
	}
}

func TestTwoSecretsSignDuringARotation(t *testing.T) {
	h := newHouse(t)
	r := newReceiver(t, h.clock)
	first := h.add(r.URL)
	second, err := h.Rotate(t.Context(), first.ID)
	if err != nil || second.Secrets != 2 || second.Secret == first.Secret {
		t.Fatalf("Rotate = %+v, %v", second, err)
	}
	for i, secret := range []string{first.Secret, second.Secret} {
		r.secret = secret
		h.happens(webhook.PlanHeld, fmt.Sprint(i))
		h.once()
	}
	if len(r.got) != 2 || len(r.refused) != 0 {
		t.Errorf("with the old and the new secret: got %v, refused %v", r.got, r.refused)
	}
	h.later(25 * time.Hour)
	r.secret = first.Secret
	h.happens(webhook.PlanHeld, "later")
	h.once()
	if len(r.got) != 2 || len(r.refused) != 1 {
		t.Errorf("a day later the old secret still verifies: %v", r.got)
	}
	kept, err := h.store.ListKept(t.Context(), "webhook", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kept {
		if strings.Contains(string(k.Value), strings.TrimPrefix(second.Secret, "whsec_")) {
			t.Error("the record holds the secret in the clear")
		}
	}
}

func TestAFailureIsTriedAgainForADayAndThenDisables(t *testing.T) {
	if last := webhook.RetriesLast(); last < 27*time.Hour || last > 29*time.Hour {
		t.Errorf("the last attempt is after %v, want about 28 h", last)
	}
	h := newHouse(t)
	r := newReceiver(t, h.clock)
	e := h.add(r.URL)
	r.secret = e.Secret
	r.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	h.happens(webhook.PlanHeld, "x")
	h.once()
	if d := h.only(e.ID); d.State != webhook.Pending || d.Attempts != 1 || d.Error != "answered 500" || !d.Next.After(h.clock()) {
		t.Errorf("after one attempt: %+v", d)
	}
	h.once()
	if d := h.only(e.ID); d.Attempts != 1 {
		t.Errorf("it is tried again at once: %+v", d)
	}
	for range webhook.Attempts() {
		h.later(10 * time.Hour)
		h.once()
	}
	if d := h.only(e.ID); d.State != webhook.Failed || d.Attempts != webhook.Attempts() {
		t.Errorf("at the end: %+v", d)
	}
	got, err := h.Endpoint(t.Context(), e.ID)
	if err != nil || got.State != webhook.Disabled || !strings.Contains(got.Reason, "500") || len(h.reported) != 1 {
		t.Errorf("the endpoint is %+v, %v; reported %v", got, err, h.reported)
	}
	r.answer = nil
	h.happens(webhook.PlanHeld, "while it is disabled")
	h.once()
	if _, err := h.SetState(t.Context(), e.ID, webhook.Active, ""); err != nil {
		t.Fatal(err)
	}
	h.happens(webhook.PlanHeld, "after")
	h.once()
	if len(r.got) != 1 || !strings.Contains(r.got[0], "after") {
		t.Errorf("after it was enabled again it got %v", r.got)
	}
}

func TestOneThatGetsThroughSometimesStaysEnabled(t *testing.T) {
	h := newHouse(t)
	r := newReceiver(t, h.clock)
	e := h.add(r.URL)
	r.secret = e.Secret
	bad := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	r.answer = bad
	h.happens(webhook.PlanHeld, "never")
	h.once()
	for i := range webhook.Attempts() {
		h.later(10 * time.Hour)
		r.answer = bad
		h.once()
		r.answer = nil
		h.happens(webhook.PlanHeld, fmt.Sprint(i))
		h.once()
	}
	if got, err := h.Endpoint(t.Context(), e.ID); err != nil || got.State != webhook.Active {
		t.Errorf("the endpoint is %+v, %v; want active: others got through", got, err)
	}
}

func TestWhatReceiversDoWrong(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		want   string
		state  string
	}{
		{"a redirect is not followed", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }, "redirect", webhook.Active},
		{"no answer ends in time", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer in time", webhook.Active},
		{"one that is gone is disabled", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, "answered 410", webhook.Disabled},
		{"one that breaks off is tried again", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "not reached: EOF", webhook.Active},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			h.Client.Timeout = 200 * time.Millisecond
			r := newReceiver(t, h.clock)
			e := h.add(r.URL)
			r.secret, r.answer = e.Secret, tt.answer
			h.happens(webhook.PlanHeld, "x")
			h.once()
			if d := h.only(e.ID); d.State == webhook.Delivered || !strings.Contains(d.Error, tt.want) {
				t.Errorf("the delivery is %+v, want %q", d, tt.want)
			}
			if got, err := h.Endpoint(t.Context(), e.ID); err != nil || got.State != tt.state {
				t.Errorf("the endpoint is %+v, %v; want %s", got, err, tt.state)
			}
		})
	}
}

func TestAnAnswerIsReadALittle(t *testing.T) {
	h := newHouse(t)
	r := newReceiver(t, h.clock)
	e := h.add(r.URL)
	ended := make(chan struct{})
	r.secret = e.Secret
	r.answer = func(w http.ResponseWriter, req *http.Request) {
		defer close(ended)
		for req.Context().Err() == nil { // without end
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}
	h.happens(webhook.PlanHeld, "x")
	h.once()
	<-ended
	if d := h.only(e.ID); d.State != webhook.Delivered {
		t.Errorf("the delivery is %+v", d)
	}
}

func TestAddressesThatAreNotPublicAreRefused(t *testing.T) {
	c := &webhook.Client{}
	for _, text := range []string{
		"127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "fe80::1", "fe80::1%eth0",
		"fd00:ec2::254", "fc00::1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001::1", "::127.0.0.1", "203.0.113.9",
	} {
		if c.Permits(netip.MustParseAddr(text)) {
			t.Errorf("%s is permitted", text)
		}
	}
	for _, text := range []string{"8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"} {
		if !c.Permits(netip.MustParseAddr(text)) {
			t.Errorf("%s is refused", text)
		}
	}
}

// A liar resolves any name to what it is told, another thing each time.
type liar struct {
	answers [][]netip.Addr
	asked   int
}

func (l *liar) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	l.asked++
	return l.answers[min(l.asked, len(l.answers))-1], nil
}

func TestANameThatLeadsInsideIsNotCalled(t *testing.T) {
	h := newHouse(t)
	r := newReceiver(t, h.clock)
	h.Client.Allow = nil
	port := r.URL[strings.LastIndexByte(r.URL, ':'):]
	for name, answers := range map[string][][]netip.Addr{
		"straight":               {{netip.MustParseAddr("127.0.0.1")}},
		"beside a public one":    {{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1")}},
		"in an IPv6 address":     {{netip.MustParseAddr("::ffff:127.0.0.1")}},
		"to the metadata server": {{netip.MustParseAddr("169.254.169.254")}},
	} {
		h.Client.Resolver = &liar{answers: answers}
		e := h.add("https://hook.example.com" + port)
		h.happens(webhook.PlanHeld, name)
		h.once()
		if d := h.only(e.ID); !strings.Contains(d.Error, "not public") {
			t.Errorf("%s: the delivery is %+v", name, d)
		}
		if err := h.Remove(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.refused)+len(r.got) != 0 {
		t.Error("the receiver inside was called")
	}
}

// TestTheAddressThatWasCheckedIsDialled changes what a name means after it was
// looked up.
func TestTheAddressThatWasCheckedIsDialled(t *testing.T) {
	h := newHouse(t)
	r := newReceiver(t, h.clock)
	names := &liar{answers: [][]netip.Addr{{netip.MustParseAddr("127.0.0.1")}, {netip.MustParseAddr("127.0.0.2")}}}
	h.Client.Resolver = names
	e := h.add(r.URL)
	r.secret = e.Secret
	h.happens(webhook.PlanHeld, "x")
	h.once()
	if d := h.only(e.ID); d.State != webhook.Delivered || names.asked != 1 {
		t.Errorf("the delivery is %+v after %d lookups, want one", d, names.asked)
	}
}

func TestAddressesThatCanNotBeAdded(t *testing.T) {
	h := newHouse(t)
	for _, address := range []string{
		"", "example.com", "ftp://example.com", "http://example.com", "https://", "https://user:pw@example.com", "https://example.com/#x",
		"https://169.254.169.254/latest", "https://[::1]/", "https://10.1.2.3/", "file:///etc/passwd", "http://10.0.0.1/",
	} {
		if made, err := h.Add(t.Context(), address, nil); !errors.Is(err, directory.ErrInvalid) {
			t.Errorf("Add(%q) = %v, %v; want ErrInvalid", address, made, err)
		}
	}
	if _, err := h.Add(t.Context(), "https://example.com", []string{"user.created"}); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("an event that there is not = %v, want ErrInvalid", err)
	}
}

func TestOneReplicaSends(t *testing.T) {
	h := newHouse(t)
	r := newReceiver(t, h.clock)
	e := h.add(r.URL)
	r.secret = e.Secret
	h.happens(webhook.PlanHeld, "x")
	other := *h.sender
	other.Holder = "b"
	h.once()
	h.happens(webhook.PlanHeld, "y")
	if err := other.Once(t.Context()); err != nil || len(r.got) != 1 {
		t.Errorf("another replica sent: %v, %v", r.got, err)
	}
	if err := h.store.ReleaseLease(t.Context(), "webhooks", "a"); err != nil {
		t.Fatal(err)
	}
	if err := other.Once(t.Context()); err != nil || len(r.got) != 2 {
		t.Errorf("the other replica does not take over: %v, %v", r.got, err)
	}
}

func TestARemovedEndpointLeavesNothing(t *testing.T) {
	h := newHouse(t)
	r := newReceiver(t, h.clock)
	e := h.add(r.URL)
	h.happens(webhook.PlanHeld, "x")
	h.once()
	if err := h.Remove(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	for _, space := range []string{"webhook-pending", "webhook-done"} {
		if left, err := h.store.ListKept(t.Context(), space, "", 10); err != nil || len(left) != 0 {
			t.Errorf("%s has %v, %v", space, left, err)
		}
	}
	if _, err := h.Endpoint(t.Context(), e.ID); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("Endpoint = %v, want ErrNotFound", err)
	}
}

// TestTheSignatureIsThatOfTheStandard uses the example of the specification.
func TestTheSignatureIsThatOfTheStandard(t *testing.T) {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	const id, at, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", `{"test": 2432232314}`
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if err := webhook.Verify(secret, id, at, want, []byte(body), time.Unix(1614265330, 0)); err != nil {
		t.Errorf("Verify of the example = %v", err)
	}
	for name, err := range map[string]error{
		"another body":   webhook.Verify(secret, id, at, want, []byte(body+" "), time.Unix(1614265330, 0)),
		"another id":     webhook.Verify(secret, id+"x", at, want, []byte(body), time.Unix(1614265330, 0)),
		"an old message": webhook.Verify(secret, id, at, want, []byte(body), time.Unix(1614265330+301, 0)),
	} {
		if err == nil {
			t.Errorf("%s verifies", name)
		}
	}
}
