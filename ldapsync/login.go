package ldapsync

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/usherd/usherd/directory"
)

// login reads when somebody last signed in: the latest of what attributes say.
// It is coarse: Active Directory replicates lastLogonTimestamp every 14 days. A
// value that cannot be read, and a time that has not come yet, say nothing.
func (v values) login(attributes []string, now time.Time) time.Time {
	var last time.Time
	for _, name := range attributes {
		at, ok := parseLogin(v.one(name))
		if ok && at.After(last) && !at.After(now.Add(24*time.Hour)) { // clocks differ
			last = at
		}
	}
	return last
}

// parseLogin reads a Windows file time or a Generalized Time (RFC 4517, section
// 3.3.13) in UTC, to the second.
func parseLogin(text string) (time.Time, bool) {
	const second = "20060102150405"
	if n := len(second); len(text) > n && text[len(text)-1] == 'Z' && (len(text) == n+1 || text[n] == '.' || text[n] == ',') {
		at, err := time.Parse(second, text[:n])
		return at, err == nil && at.Unix() > 0
	}
	ticks, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ticks <= windowsEpoch || ticks == never {
		return time.Time{}, false
	}
	return time.Unix((ticks-windowsEpoch)/10_000_000, 0), true
}

// loginBatch is how many sign-ins are noted at once.
const loginBatch = 5000

// noteLogins notes when the people of a read last signed in. That is no fact, so
// it belongs to no plan, and the store does not write what it has.
func (p *Poller) noteLogins(ctx context.Context, plan *Plan) error {
	batch := map[directory.UserID]time.Time{}
	note := func() error {
		if err := p.cfg.Store.NoteLogins(ctx, batch); err != nil {
			return fmt.Errorf("noting sign-ins: %w", err)
		}
		clear(batch)
		return nil
	}
	for i := range int32(plan.want.people.len()) {
		row := plan.want.people.at(i)
		switch {
		case row.login == 0:
			continue
		case row.known != nowhere:
			batch[directory.UserID(plan.have.people.at(row.known).userID())] = time.Unix(row.login, 0)
		case row.minted != nowhere:
			batch[directory.UserID(uuid.UUID(*plan.minted.at(row.minted)).String())] = time.Unix(row.login, 0)
		}
		if len(batch) == loginBatch {
			if err := note(); err != nil {
				return err
			}
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return note()
}
