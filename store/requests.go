package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/usherd/usherd/directory"
)

// FindRequests returns entries of the provisioning log, the newest first.
func (s *Store) FindRequests(ctx context.Context, q directory.RequestQuery) ([]directory.Request, error) {
	if !storable(string(q.Source)) || !storable(q.ID) || q.Before != nil && !storable(q.Before.ID) {
		return nil, nil
	}
	where, args := []string{"1 = 1"}, []any{}
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, condition+" $"+strconv.Itoa(len(args)))
	}
	if q.Source != "" {
		add("source =", string(q.Source))
	}
	if q.ID != "" {
		add("id =", q.ID)
	}
	if !q.Since.IsZero() {
		add("time >=", ms(q.Since))
	}
	if q.Before != nil {
		args = append(args, ms(q.Before.Created), q.Before.ID)
		at, id := "$"+strconv.Itoa(len(args)-1), "$"+strconv.Itoa(len(args))
		where = append(where, "(time < "+at+" OR time = "+at+" AND id < "+id+")")
	}
	if q.Failed {
		status := "body ->> '$.status'"
		if s.d.engine == postgres {
			status = "CAST(CAST(body AS JSONB) ->> 'status' AS BIGINT)"
		}
		add(status+" >=", 400)
	}
	args = append(args, max(q.Limit, 0))
	all, err := collect(ctx, s.read, scanBody[directory.Request]("request"), `SELECT body FROM request_log WHERE `+
		strings.Join(where, " AND ")+` ORDER BY time DESC, id DESC LIMIT $`+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("reading requests: %w", err)
	}
	return all, nil
}

// eraseBatch is how many log entries are looked at in one go.
const eraseBatch = 1000

// EraseRequests takes body and detail out of the entries that are about
// somebody. It looks at all there are, a stretch at a time, so that it keeps no
// writer waiting.
func (s *Store) EraseRequests(ctx context.Context, ids []directory.UserID, texts []string) (int, error) {
	m, err := s.mentions(ctx, ids, texts)
	if err != nil {
		return 0, err
	}
	type entry struct {
		source, id, body string
		time             int64
	}
	erased, last := 0, entry{time: -1 << 62}
	for {
		some, err := collect(ctx, s.read, func(row scanner) (e entry, err error) {
			err = row.Scan(&e.source, &e.id, &e.time, &e.body)
			return e, err
		}, `SELECT source, id, time, body FROM request_log WHERE time > $1 OR (time = $1 AND id > $2)
			ORDER BY time, id LIMIT $3`, last.time, last.id, eraseBatch)
		if err != nil {
			return erased, fmt.Errorf("reading requests: %w", err)
		}
		for _, e := range some {
			var r directory.Request
			if err := unmarshal("request", e.body, &r); err != nil {
				return erased, err
			}
			if !m.in(r, e.body) {
				continue
			}
			r.Body, r.Detail = json.RawMessage(`{"erased":true}`), ""
			body, err := keep("request", r)
			if err != nil {
				return erased, err
			}
			_, err = s.write.ExecContext(ctx, `UPDATE request_log SET body = $4 WHERE source = $1 AND time = $2 AND id = $3`, e.source, e.time, e.id, body)
			if err != nil {
				return erased, fmt.Errorf("erasing request %s: %w", e.id, err)
			}
			erased++
		}
		if len(some) < eraseBatch {
			return erased, nil
		}
		last = some[len(some)-1]
	}
}

// mentions are what an entry about somebody has.
type mentions struct {
	revisions map[directory.Revision]bool
	ids       []string
	texts     []string // as JSON strings in lower case, by themselves and inside another string
}

// mentions finds the revisions at which the identities changed, and what they
// were called.
func (s *Store) mentions(ctx context.Context, ids []directory.UserID, texts []string) (mentions, error) {
	m := mentions{revisions: map[directory.Revision]bool{}}
	for _, id := range ids {
		if id == "" || !storable(string(id)) {
			continue
		}
		m.ids = append(m.ids, string(id))
		since, err := collect(ctx, s.read, func(row scanner) (r int64, err error) {
			err = row.Scan(&r)
			return r, err
		}, `SELECT since FROM identity_fact WHERE identity_id = $1`, string(id))
		if err != nil {
			return m, fmt.Errorf("reading the history of identity %s: %w", id, err)
		}
		for _, r := range since {
			m.revisions[directory.Revision(r)] = true
		}
		names, err := collect(ctx, s.read, scanText, `SELECT external_id FROM identity_fact WHERE identity_id = $1
			UNION SELECT user_name_key FROM identity_fact WHERE identity_id = $1
			UNION SELECT value_key FROM email WHERE identity_id = $1`, string(id))
		if err != nil {
			return m, fmt.Errorf("reading the names of identity %s: %w", id, err)
		}
		texts = append(slices.Clip(texts), names...)
	}
	for _, text := range texts {
		if text == "" {
			continue
		}
		whole, err := json.Marshal(strings.ToLower(text))
		if err != nil {
			return m, fmt.Errorf("encoding a text: %w", err)
		}
		inside, err := json.Marshal(string(whole))
		if err != nil {
			return m, fmt.Errorf("encoding a text: %w", err)
		}
		m.texts = append(m.texts, string(whole), string(inside[1:len(inside)-1]))
	}
	return m, nil
}

func (m mentions) in(r directory.Request, kept string) bool {
	if r.Revision != 0 && m.revisions[r.Revision] {
		return true
	}
	has := func(part string) bool { return strings.Contains(kept, part) }
	if slices.ContainsFunc(m.ids, has) {
		return true
	}
	kept = strings.ToLower(kept)
	return slices.ContainsFunc(m.texts, has)
}
