package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// decisionBatch is how many lines are written at a time at most.
const decisionBatch = 500

// A decisionLine is a line of the log. It holds no personal data of users: a
// subject that is somebody is named by the user's id, and what was asked about
// nobody by a digest. The ids of resources are those of the application.
type decisionLine struct {
	Time     time.Time          `json:"ts"`
	Token    string             `json:"token,omitempty"`
	User     directory.UserID   `json:"user,omitempty"`
	Subject  string             `json:"subject,omitempty"`
	NamedBy  string             `json:"subject_type"`
	Action   string             `json:"action"`
	Resource string             `json:"resource"`
	Project  string             `json:"project,omitempty"`
	Result   string             `json:"result"`
	Code     string             `json:"code"`
	Revision directory.Revision `json:"revision"`
	Age      float64            `json:"age_ms"`
}

// run writes until ctx ends, and then what is left.
func (l *decisionLog) run(ctx context.Context) {
	if l == nil {
		return
	}
	var lines []byte
	for {
		select {
		case e := <-l.queue:
			lines = l.batch(lines[:0], e)
			continue
		case <-ctx.Done():
		}
		for len(l.queue) > 0 {
			lines = l.batch(lines[:0], <-l.queue)
		}
		if err := l.out.Close(); err != nil {
			l.log.Warn("closing the decision log", zap.Error(err))
		}
		return
	}
}

// batch writes a decision and those that wait behind it, whole lines at once.
func (l *decisionLog) batch(lines []byte, e decided) []byte {
	n := 0
	for more := true; more; {
		text, err := json.Marshal(l.line(&e))
		if err != nil {
			l.complain(err, 1)
		} else {
			lines = append(append(lines, text...), '\n')
			n++
		}
		if n == decisionBatch {
			break
		}
		select {
		case e = <-l.queue:
		default:
			more = false
		}
	}
	if _, err := l.out.Write(lines); err != nil {
		l.complain(err, n)
		return lines
	}
	l.written.Add(float64(n))
	return lines
}

// complain says once a minute why nothing is written. Checks go on.
func (l *decisionLog) complain(err error, lines int) {
	l.failed.Add(float64(lines))
	if time.Since(l.complained) < time.Minute {
		return
	}
	l.complained = time.Now()
	l.log.Error("the decision log can't be written; checks are answered all the same", zap.Error(err))
}

func (l *decisionLog) line(e *decided) decisionLine {
	line := decisionLine{
		Time: e.at.UTC(), Token: e.token, User: e.user, NamedBy: e.by, Action: e.action, Resource: e.typ + "/" + e.id, Project: e.project,
		Result: "deny", Code: e.code, Revision: e.rev, Age: float64(e.age.Microseconds()) / 1000,
	}
	if e.allow {
		line.Result = "allow"
	}
	if e.user == "" {
		line.Subject = l.nobody(e.key)
	}
	return line
}

// nobody is a name that led to nobody, as a digest unless names are wanted: it
// tells whether two lines are about the same name, and nothing else.
func (l *decisionLog) nobody(k directory.SubjectKey) string {
	switch {
	case k == directory.SubjectKey{}:
		return ""
	case l.names.Load() && k.Source != "":
		return fmt.Sprintf("%s/%s", k.Source, k.Value)
	case l.names.Load():
		return k.Value
	}
	mac := hmac.New(sha256.New, l.key)
	mac.Write(k.Encode())
	return "hmac:" + hex.EncodeToString(mac.Sum(nil)[:12])
}

// decisionFile is where the log is.
func decisionFile(cfg *config.Config) string {
	if cfg.DecisionLog.File != "" {
		return cfg.DecisionLog.File
	}
	return filepath.Join(cfg.Data, "decisions.log")
}
