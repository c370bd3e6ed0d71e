package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A ListedIntegration is a connection as a list shows it.
type ListedIntegration struct {
	directory.Integration
	Members   int             `json:"members"` // users and groups with an assignment of their own
	Mine      directory.Level `json:"mine"`    // the asker's level
	MayManage bool            `json:"mayManage"`
	ManagedBy string          `json:"managed_by,omitempty"`
}

// Integrations lists the connections that the asker may see the details of.
func (s *Service) Integrations(ctx context.Context) ([]ListedIntegration, error) {
	a, err := s.Authority(ctx)
	if err != nil {
		return nil, err
	}
	held, err := s.Store.Grants(ctx, "", "")
	if err != nil {
		return nil, fmt.Errorf("reading grants: %w", err)
	}
	count := map[string]int{}
	for _, g := range held {
		if g.Privilege.Kind == directory.IntegrationLevel && g.Project == "" {
			count[g.Privilege.Key]++
		}
	}
	out := []ListedIntegration{}
	p := &a.view.Policy().Policy
	for _, i := range p.Integrations {
		l := ListedIntegration{
			Integration: i, Members: count[i.Key], Mine: a.levelOn(i.Key), MayManage: a.managesConnection(p, i.Key) == nil,
			ManagedBy: s.managedBy(directory.SectionIntegrations),
		}
		if a.seesConnection(i.Key) {
			out = append(out, l)
		}
	}
	return out, nil
}

// levelOn is what the asker may do with a connection.
func (a *Authority) levelOn(key string) directory.Level {
	if a.subject != nil {
		return levelOf(a.view, a.subject, key)
	}
	switch {
	case a.Has(directory.IntegrationsManageAll, ""):
		return directory.Admin
	case a.Has(directory.IntegrationsUseAll, ""):
		return directory.Consumer
	case a.Has(directory.IntegrationsViewAll, ""):
		return directory.Viewer
	}
	return directory.NoLevel
}

// levelOf asks the engine for the highest level of a subject.
func levelOf(view *authz.Snapshot, sub *directory.Subject, key string) directory.Level {
	switch {
	case allows(view, sub, authz.ActionManage, key):
		return directory.Admin
	case allows(view, sub, authz.ActionUse, key):
		return directory.Consumer
	case allows(view, sub, authz.ActionView, key):
		return directory.Viewer
	}
	return directory.NoLevel
}

func allows(view *authz.Snapshot, sub *directory.Subject, action, key string) bool {
	return view.Decide(sub, &authz.Request{SubjectType: authz.SubjectUser, Action: action, Type: authz.TypeIntegration, ID: key}).Allow
}

func (a *Authority) seesConnection(key string) bool {
	return a.May(ReadPolicy, "") || a.May(WriteGrants, "") || a.levelOn(key) >= directory.Viewer
}

// managesConnection lets in who may change the policy and who has the level
// admin on the connection. Who may not see it learns nothing.
func (a *Authority) managesConnection(p *directory.Policy, key string) error {
	keys := keysOf(p.Integrations, integrationKey)
	if !slices.Contains(keys, key) || !a.seesConnection(key) {
		return notFound("no integration %q", key)
	}
	if a.May(WritePolicy, "") || a.levelOn(key) >= directory.Admin {
		return nil
	}
	return fmt.Errorf("%w: to manage the integration %s needs the right %s or the level admin on it", ErrForbidden, key, directory.PolicyManage)
}

// A ConnectionMember is a user or group with access to a connection.
type ConnectionMember struct {
	Kind      directory.MemberKind `json:"kind"` // user or group
	ID        string               `json:"id"`
	Name      string               `json:"name"`
	UserName  string               `json:"userName,omitempty"`
	Status    string               `json:"status,omitempty"`
	Own       *directory.Level     `json:"own,omitempty"` // the assignment on this connection
	Effective directory.Level      `json:"effective"`
	Via       []string             `json:"via"`            // where access comes from, besides the own assignment
	Removable bool                 `json:"removable"`      // Remove takes all access away
	Resets    bool                 `json:"resets"`         // there is an own assignment that Reset deletes
	Why       string               `json:"why,omitempty"`  // why it can't be removed
	Note      string               `json:"note,omitempty"` // of an assignment without effect
	Added     time.Time            `json:"added,omitzero"`
}

// A contribution is one source of a level.
type contribution struct {
	via   string
	level directory.Level
}

// ConnectionMembers lists who has access to a connection: each user and group
// that has an assignment, or a Role or mapping that gives a level. Whoever has
// it only by being in such a group is not listed again.
func (s *Service) ConnectionMembers(ctx context.Context, key string) ([]ConnectionMember, error) {
	a, err := s.Authority(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(keysOf(a.view.Policy().Policy.Integrations, integrationKey), key) || !a.seesConnection(key) {
		return nil, notFound("no integration %q", key)
	}
	if !a.May(ReadDirectory, "") && !a.May(WriteGrants, "") && a.levelOn(key) < directory.Admin {
		return nil, a.require(ReadDirectory, "")
	}
	everybody, err := s.peopleBy(ctx, "name")
	if err != nil {
		return nil, err
	}
	out := []ConnectionMember{}
	for g := range a.view.Groups() {
		if m, has := groupOn(a.view, g, key); has {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(x, y ConnectionMember) int { return strings.Compare(folded(x.Name), folded(y.Name)) })
	disabled := disabledSources(a.view)
	for _, p := range everybody {
		if len(p.sub.Grants) == 0 || p.sub.Found != directory.One {
			continue
		}
		if m, has := userOn(a.view, &p.sub, key); has {
			u := shownUser(&p.row, &p.sub, disabled)
			m.Name, m.UserName, m.Status = u.Name, u.UserName, u.Status
			out = append(out, m)
		}
	}
	return out, nil
}

func groupOn(view *authz.Snapshot, g *directory.GroupFacts, key string) (ConnectionMember, bool) {
	m := ConnectionMember{Kind: directory.GroupMember, ID: string(g.ID), Name: string(g.Source) + "/" + g.Name}
	var from []contribution
	own := ownLevel(g.Grants, key, &m)
	direct := own
	for _, given := range view.Given(g.Num) {
		isOwn := given.Mapping == "" && given.Role == "" && given.Privilege.Kind == directory.IntegrationLevel && given.Privilege.Key == key
		if c, ok := contributes(view, given, key, ""); ok && !isOwn {
			from = append(from, c)
			direct = true
		}
	}
	if !direct {
		return m, false
	}
	from = append(from, above(view, g.Parents, key)...)
	sub := madeUp(g.Num)
	m.Effective = levelOf(view, &sub, key)
	m.judge(from)
	return m, true
}

func userOn(view *authz.Snapshot, sub *directory.Subject, key string) (ConnectionMember, bool) {
	m := ConnectionMember{Kind: directory.UserMember, ID: string(sub.ID)}
	direct := ownLevel(sub.Grants, key, &m)
	var from []contribution
	for _, g := range sub.Grants {
		if g.Role == "" && g.Privilege.Kind == directory.IntegrationLevel && g.Privilege.Key == key {
			continue
		}
		if c, ok := contributes(view, authz.Given{Project: g.Project, Role: g.Role, Privilege: g.Privilege}, key, ""); ok {
			from = append(from, c)
			direct = true
		}
	}
	if !direct {
		return m, false
	}
	var nums []directory.GroupNum
	for _, in := range sub.Memberships {
		nums = append(nums, in.Group)
	}
	from = append(from, above(view, nums, key)...)
	m.Effective = levelOf(view, sub, key)
	m.judge(from)
	return m, true
}

// ownLevel finds the assignment on the connection itself.
func ownLevel(grants []directory.Grant, key string, m *ConnectionMember) bool {
	for _, g := range grants {
		if g.Role == "" && g.Project == "" && g.Privilege.Kind == directory.IntegrationLevel && g.Privilege.Key == key {
			m.Own, m.Added, m.Resets = &g.Privilege.Level, g.Created, true
			return true
		}
	}
	return false
}

// contributes says what something that is given organization-wide comes to on a
// connection.
func contributes(view *authz.Snapshot, given authz.Given, key, group string) (contribution, bool) {
	if given.Project != "" || given.Suspended {
		return contribution{}, false
	}
	on := func(p directory.Privilege) directory.Level {
		if p.Kind == directory.IntegrationLevel && (p.Key == key || p.Key == authz.Every) {
			return p.Level
		}
		return directory.NoLevel
	}
	c := contribution{via: "an assignment on every connection", level: on(given.Privilege)}
	if role, ok := view.Role(given.Role); ok && given.Role != "" {
		c.via = "Role " + string(role.Name)
		for _, p := range role.Privileges {
			c.level = max(c.level, on(p))
		}
		for right, level := range map[directory.Right]directory.Level{
			directory.IntegrationsViewAll: directory.Viewer, directory.IntegrationsUseAll: directory.Consumer, directory.IntegrationsManageAll: directory.Admin,
		} {
			if slices.Contains(role.Rights, right) {
				c.level = max(c.level, level)
			}
		}
	} else if given.Privilege.Key == key {
		c.via = "an assignment"
	}
	if given.Mapping != "" {
		c.via += " by mapping " + given.Mapping
	}
	if group != "" {
		c.via += " of group " + group
	}
	return c, c.level > directory.NoLevel
}

// above is what groups, and groups above them, contribute; blocked ones and
// those of a project nothing.
func above(view *authz.Snapshot, nums []directory.GroupNum, key string) (out []contribution) {
	seen := map[directory.GroupNum]bool{}
	todo := slices.Clone(nums)
	for len(todo) > 0 {
		num := todo[0]
		todo = todo[1:]
		g, ok := view.Group(num)
		if !ok || seen[num] || g.Blocked || g.Project != "" || !view.SourceCounts(g.Source) {
			continue
		}
		seen[num] = true
		for _, given := range view.Given(num) {
			if c, ok := contributes(view, given, key, string(g.Source)+"/"+g.Name); ok {
				out = append(out, c)
			}
		}
		todo = append(todo, g.Parents...)
	}
	return out
}

// judge says what can be done with a member: the highest level wins, lowering
// has no effect, and only what is assigned here can be removed here.
func (m *ConnectionMember) judge(from []contribution) {
	base := directory.NoLevel
	m.Via = []string{}
	for _, c := range from {
		base = max(base, c.level)
		m.Via = append(m.Via, c.via)
	}
	switch {
	case base > directory.NoLevel:
		m.Why = fmt.Sprintf("From %s; change it there", strings.Join(m.Via, ", "))
	case m.Own != nil:
		m.Removable = true
	}
	if m.Own != nil && *m.Own <= base && base > directory.NoLevel {
		m.Note = fmt.Sprintf("no effect: still %s", base)
	}
}

// connection is the gate of changes of member access.
func (s *Service) connection(ctx context.Context, by directory.Actor, key string) (*Authority, error) {
	a, err := s.authority(ctx, by)
	if err != nil {
		return nil, err
	}
	p := &a.view.Policy().Policy
	if !slices.Contains(keysOf(p.Integrations, integrationKey), key) || !a.seesConnection(key) {
		return nil, notFound("no integration %q", key)
	}
	if a.May(WriteGrants, "") || a.levelOn(key) >= directory.Admin {
		return a, nil
	}
	return nil, fmt.Errorf("%w: to change who has access to %s needs the right %s or the level admin on it", ErrForbidden, key, directory.GrantsManage)
}

// onConnection finds a member of a connection: a user, or a group as
// group:SOURCE/NAME or group:ID.
func (s *Service) onConnection(ctx context.Context, a *Authority, who, key string) (holder, ConnectionMember, error) {
	if title, isGroup := strings.CutPrefix(who, "group:"); isGroup {
		g, err := s.seenGroup(ctx, a, title)
		if err != nil {
			return holder{}, ConnectionMember{}, err
		}
		if err := a.mayChangeGroup(g); err != nil {
			return holder{}, ConnectionMember{}, err
		}
		facts, _ := a.view.Group(g.Num)
		m, _ := groupOn(a.view, &facts, key)
		return holder{group: g.ID}, m, nil
	}
	sub, err := s.user(ctx, who)
	if err != nil {
		return holder{}, ConnectionMember{}, err
	}
	m, _ := userOn(a.view, &sub, key)
	if m.Via == nil { // nothing of their own: judged by groups alone
		var nums []directory.GroupNum
		for _, in := range sub.Memberships {
			nums = append(nums, in.Group)
		}
		m.judge(above(a.view, nums, key))
		m.Effective = levelOf(a.view, &sub, key)
	}
	return holder{user: sub.ID}, m, nil
}

// SetConnectionMember assigns a level on a connection to a user or group. A
// level below what comes from elsewhere is kept, and has no effect.
func (s *Service) SetConnectionMember(ctx context.Context, by directory.Actor, key, who string, level directory.Level) (Outcome, error) {
	a, err := s.connection(ctx, by, key)
	if err != nil {
		return Outcome{}, err
	}
	to, m, err := s.onConnection(ctx, a, who, key)
	if err != nil {
		return Outcome{}, err
	}
	set := directory.GrantSet{Privileges: []directory.Privilege{{Kind: directory.IntegrationLevel, Key: key, Level: level}}}
	var changes []directory.Change
	for _, g := range grants(set, by, to.user, to.group) {
		g.ID, g.Created = directory.NewID(), s.Now()
		changes = append(changes, directory.PutGrant{Grant: g})
	}
	out, err := s.apply(ctx, by, changes...)
	if err == nil && len(m.Via) > 0 && level < m.Effective {
		out.Note = fmt.Sprintf("the highest level wins; %s", m.Why)
	}
	return out, err
}

// ResetConnectionMember deletes the assignment on a connection: what comes from
// elsewhere stays.
func (s *Service) ResetConnectionMember(ctx context.Context, by directory.Actor, key, who string) (Outcome, error) {
	return s.endAssignment(ctx, by, key, who, func(ConnectionMember) error { return nil })
}

// RemoveConnectionMember takes all access to a connection away. It is refused
// where access comes from elsewhere.
func (s *Service) RemoveConnectionMember(ctx context.Context, by directory.Actor, key, who string) (Outcome, error) {
	return s.endAssignment(ctx, by, key, who, func(m ConnectionMember) error {
		if m.Why != "" {
			return fmt.Errorf("%w: %s can't be removed from %s. %s (reset takes back only what is assigned here)", directory.ErrInUse, who, key, m.Why)
		}
		return nil
	})
}

func (s *Service) endAssignment(ctx context.Context, by directory.Actor, key, who string, check func(ConnectionMember) error) (Outcome, error) {
	a, err := s.connection(ctx, by, key)
	if err != nil {
		return Outcome{}, err
	}
	from, m, err := s.onConnection(ctx, a, who, key)
	if err != nil {
		return Outcome{}, err
	}
	if err := check(m); err != nil {
		return Outcome{}, err
	}
	if m.Own == nil {
		return Outcome{}, notFound("%s has no assignment on %s", who, key)
	}
	end := directory.Grant{User: from.user, Group: from.group, Privilege: directory.Privilege{Kind: directory.IntegrationLevel, Key: key, Level: *m.Own}}
	return s.keepingAnOwner(ctx, by, directory.EndGrant{Grant: end})
}
