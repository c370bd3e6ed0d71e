package config

// A Config is a complete, validated configuration. The zero value of a field
// means the default that its tag names; [Load] fills it in.
//
// The tags are: yaml, the key; doc, its sentence in schema and reference;
// default; enum, the allowed values; min and max, both inclusive; sep, the
// separator of a list in a variable; path, a file name, relative to the file
// that holds it; shorthand, the field that a plain value in place of the block
// sets; restart, that a reload cannot change it.
type Config struct {
	APIVersion string `yaml:"apiVersion" enum:"v1" default:"v1" doc:"Version of this file's format. Required in the main file."`

	Data      string   `yaml:"data" default:"usherd-data" path:"true" restart:"true" doc:"Folder of the SQLite database and of the socket that commands talk to."`
	Listen    string   `yaml:"listen" default:"127.0.0.1:8080" restart:"true" doc:"Address of the public listener: SCIM, check, admin API, console. Beyond loopback it needs tls, or insecure_http behind a proxy."`
	OpsListen string   `yaml:"ops_listen" default:"127.0.0.1:9090" restart:"true" doc:"Address of the operations listener: /livez, /readyz, /metrics."`
	URL       string   `yaml:"url" doc:"Where clients reach the public listener, e.g. https://usherd.example.com. Every absolute address is built from it, none from a Host header. Unset: http:// and the listen address."`
	Store     Store    `yaml:"store" shorthand:"url" restart:"true" doc:"The database."`
	Redis     Redis    `yaml:"redis" shorthand:"url" restart:"true" doc:"The cache that replicas share. Never needed: down or slow, it is a miss."`
	TLS       TLS      `yaml:"tls" doc:"Certificate of the public listener, read again when it changes. Unset: plain HTTP."`
	Insecure  bool     `yaml:"insecure_http" restart:"true" doc:"Allow plain HTTP beyond loopback, for a proxy in front that ends TLS."`
	Proxies   []Prefix `yaml:"trusted_proxies" doc:"Addresses or networks of proxies in front. Only what they say of a client's address (X-Forwarded-For) is believed; the audit trail names that address."`

	MaxStaleness Duration `yaml:"max_staleness" default:"10s" min:"1s" max:"10m" doc:"Oldest answer that a check gives; beyond it, 503. Short: a database failover is felt sooner. Long: a revoke may go unseen that long when this replica is cut off."`
	History      History  `yaml:"history" doc:"How far back decisions can be explained."`
	Audit        Audit    `yaml:"audit" restart:"true" doc:"The audit trail."`
	DrainDelay   Duration `yaml:"drain_delay" default:"0s" max:"5m" doc:"Wait between not ready and closing the listeners. Behind a load balancer: as long as it takes to notice, 5s in Kubernetes."`

	Log         Log         `yaml:"log" doc:"What is logged, and how."`
	DecisionLog DecisionLog `yaml:"decision_log" doc:"A record of what was decided for applications and proxies. It is sampled and no audit: a check never waits for it, and what comes faster than it can be written is dropped and counted."`
	Policy      Policy      `yaml:"policy" doc:"The policy file, where policy is managed by one."`
	Sources     []Source    `yaml:"sources" doc:"Where people and groups come from. Files of conf.d add to this list. Sources may also be made by command or console; those named here are read-only there."`
	SCIM        SCIM        `yaml:"scim" restart:"true" doc:"Limits of what one request of an identity provider may ask. What is over one is refused with the limit in the answer."`
	GRPC        GRPC        `yaml:"grpc" restart:"true" doc:"The gRPC listener, for Envoy's ext_authz."`
	ExtAuthz    ExtAuthz    `yaml:"ext_authz" doc:"How reverse proxies ask: Envoy, nginx, Traefik, Caddy. Without routes they get no answer."`
	Console     Console     `yaml:"console" doc:"The web console."`
	Webhooks    Webhooks    `yaml:"webhooks" restart:"true" doc:"What is told to other systems. Endpoints are added by command, API or console."`
	KeyFile     string      `yaml:"key_file" path:"true" restart:"true" doc:"File with the key that wraps the root key in the database, 32 bytes or more."`
	PProf       bool        `yaml:"pprof" restart:"true" doc:"Serve Go profiles on the operations listener, on loopback only."`

	origins  map[string]Origin
	warnings Errors
	files    []string
}

// Store says where the facts are kept.
type Store struct {
	URL      string `yaml:"url" default:"sqlite" doc:"sqlite (a file in data), or postgres://user@host:5432/database?sslmode=verify-full."`
	Password Secret `yaml:"password" doc:"PostgreSQL password, apart from the URL so that the URL can be logged."`
	MaxConns int    `yaml:"max_conns" default:"10" min:"2" max:"1000" doc:"Most connections to PostgreSQL."`
}

// SQLite reports whether the store is the embedded one.
func (s Store) SQLite() bool { return s.URL == "" || s.URL == "sqlite" }

// Redis says where the shared cache is. Without a URL there is none.
type Redis struct {
	URL      string   `yaml:"url" doc:"redis://, rediss:// (TLS) or unix:// address. Unset: no shared cache."`
	Password Secret   `yaml:"password" doc:"Redis password, apart from the URL so that the URL can be logged."`
	Timeout  Duration `yaml:"timeout" default:"20ms" min:"1ms" max:"1s" doc:"Longest that a check waits for Redis before it asks the store."`
	PoolSize int      `yaml:"pool_size" default:"20" min:"1" max:"10000" doc:"Most connections to Redis."`
	Cluster  bool     `yaml:"cluster" doc:"The URL names a node of a Redis Cluster; add others as ?addr=host:port."`
}

// TLS names the certificate of the public listener.
type TLS struct {
	Cert string `yaml:"cert" path:"true" doc:"File with the certificate chain, PEM."`
	Key  string `yaml:"key" path:"true" doc:"File with the private key, PEM."`
}

// Enabled reports whether the public listener speaks TLS.
func (t TLS) Enabled() bool { return t.Cert != "" }

// History bounds what is kept of the past.
type History struct {
	Keep Duration `yaml:"keep" default:"400d" min:"1d" max:"10000d" doc:"How long a past revision can be decided and explained; before that, 410."`
}

// Audit bounds what is kept of the audit trail.
type Audit struct {
	Retention Duration `yaml:"retention" default:"0s" max:"36500d" doc:"How long audit records are kept, at least as long as history.keep; 0s is for ever. What is left can be verified all the same."`
}

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level" enum:"debug|info|warn|error" default:"info" doc:"Least important level that is logged."`
	Format string `yaml:"format" enum:"auto|json|console" default:"auto" restart:"true" doc:"json, console for people, or auto: console on a terminal, json elsewhere."`
	PII    bool   `yaml:"pii" doc:"Write names that were asked about and led to nobody into the decision log. Otherwise a digest stands for them."`
}

// SCIM bounds what one request of an identity provider may ask.
type SCIM struct {
	UserBody     int      `yaml:"user_body" default:"1048576" min:"1024" max:"16777216" doc:"Bytes of a body about a user."`
	GroupBody    int      `yaml:"group_body" default:"8388608" min:"1024" max:"67108864" doc:"Bytes of a body about a group, and of a bulk."`
	JSONDepth    int      `yaml:"json_depth" default:"32" min:"4" max:"256" doc:"Nested objects and lists of a body."`
	FilterLength int      `yaml:"filter_length" default:"4096" min:"64" max:"32768" doc:"Bytes of a filter."`
	FilterDepth  int      `yaml:"filter_depth" default:"16" min:"1" max:"64" doc:"Nested parentheses of a filter."`
	FilterTerms  int      `yaml:"filter_terms" default:"64" min:"1" max:"1000" doc:"Comparisons in a filter."`
	Operations   int      `yaml:"operations" default:"1000" min:"1" max:"10000" doc:"Operations of a PATCH or a bulk."`
	Members      int      `yaml:"members" default:"50000" min:"1" max:"100000" doc:"Members that one request may name."`
	Emails       int      `yaml:"emails" default:"100" min:"1" max:"1000" doc:"E-mail addresses of a user."`
	Page         int      `yaml:"page" default:"100" min:"1" max:"1000" doc:"Resources of a page when none is asked for."`
	MaxPage      int      `yaml:"max_page" default:"1000" min:"1" max:"10000" doc:"Resources of a page at most."`
	Scan         int      `yaml:"scan" default:"100000" min:"100" max:"10000000" doc:"Resources that a filter without an index may look at."`
	Requests     int      `yaml:"requests" default:"32" min:"2" max:"1000" doc:"Requests of one source in work at a time; others wait."`
	Wait         Duration `yaml:"wait" default:"10s" min:"100ms" max:"1m" doc:"How long a request waits for its turn before it is refused with 429 or 503."`
}

// Webhooks bounds where webhooks go.
type Webhooks struct {
	Allow []Prefix `yaml:"allow" doc:"Addresses or networks that are not public and may be called all the same, over http:// too. Others that are not public are refused."`
}

// Policy names the file that manages the policy.
type Policy struct {
	File string `yaml:"file" path:"true" doc:"Policy file, applied at start and when it changes. What it manages is read-only elsewhere."`
}

// A Source is one place that people and groups come from.
type Source struct {
	Name    string `yaml:"name" doc:"Lower-case letters, digits and hyphens; part of the SCIM address. Required."`
	Kind    string `yaml:"kind" enum:"scim|ldap" doc:"scim: an identity provider pushes. ldap: a directory is polled. Required."`
	Profile string `yaml:"profile" enum:"auto|okta|entra|onelogin|jumpcloud|ping|google|generic" default:"auto" doc:"SCIM only: whose dialect the provider speaks. auto tells it from its requests."`
	LDAP    *LDAP  `yaml:"ldap" doc:"LDAP only: the directory."`
}

// LDAP describes a directory to poll. What is unset comes from the template.
type LDAP struct {
	Template    string     `yaml:"template" enum:"openldap|active-directory|389ds" doc:"What kind of server it is; fills in filters and attributes. 389ds is FreeIPA too. Required."`
	URLs        []string   `yaml:"urls" doc:"Servers, tried in order: ldaps://, ldap:// or ldapi://. ldaps+srv://example.com and ldap+srv:// ask DNS. Required."`
	BindDN      string     `yaml:"bind_dn" doc:"Whom to bind as; Active Directory also takes user@domain. Required, unless external."`
	BindPass    Secret     `yaml:"bind_password" doc:"Password of bind_dn, as file: or credential:. It is read at each connection."`
	External    bool       `yaml:"external" doc:"Bind with the client certificate (SASL EXTERNAL) instead."`
	Base        []string   `yaml:"base" sep:";" doc:"DNs under which users and groups are, where user_base or group_base do not say otherwise. Required without them."`
	UserBase    []string   `yaml:"user_base" sep:";" doc:"DNs under which users are."`
	GroupBase   []string   `yaml:"group_base" sep:";" doc:"DNs under which groups are."`
	UserFilter  string     `yaml:"user_filter" doc:"Which entries are users, e.g. (objectClass=inetOrgPerson)."`
	GroupFilter string     `yaml:"group_filter" doc:"Which entries are groups, e.g. (objectClass=groupOfNames)."`
	Attributes  Attributes `yaml:"attributes" doc:"Which of their attributes are ours. Of several, the first that an entry has counts."`

	StartTLS        bool     `yaml:"start_tls" doc:"Begin TLS on ldap:// connections before binding."`
	ServerName      string   `yaml:"server_name" doc:"Name that the server's certificate must have, where it is not the one in the URL."`
	CAFile          string   `yaml:"ca_file" path:"true" doc:"Authorities to trust in place of the system's, PEM."`
	ClientCert      string   `yaml:"client_cert" path:"true" doc:"Client certificate, PEM."`
	ClientKey       string   `yaml:"client_key" path:"true" doc:"Key of client_cert, PEM."`
	PlaintextBind   bool     `yaml:"allow_plaintext_bind" doc:"Send the password over ldap:// without TLS."`
	IgnoreReferrals []string `yaml:"ignore_referrals" sep:";" doc:"DNs whose referrals do not make a read incomplete, or * for all. No referral is followed."`

	Schedule      string     `yaml:"schedule" default:"*/15 * * * *" doc:"When to read, as five cron fields in UTC or @every 10m. A CRON_TZ= in front sets another zone."`
	DialTimeout   Duration   `yaml:"dial_timeout" default:"10s" min:"1s" max:"5m" doc:"Longest wait for a connection."`
	Timeout       Duration   `yaml:"timeout" default:"30s" min:"1s" max:"10m" doc:"Longest silence of a server that owes an answer."`
	RunTimeout    Duration   `yaml:"run_timeout" default:"10m" min:"10s" max:"24h" doc:"Longest that one run may take."`
	FullEvery     Duration   `yaml:"full_every" default:"0" max:"30d" doc:"Read only what changed in between, and everything this often. Only a complete read removes. 0 makes every read a complete one."`
	Lease         Duration   `yaml:"lease" default:"30s" min:"3s" max:"10m" doc:"How long a replica that fell silent keeps others from reading."`
	PageSize      int        `yaml:"page_size" default:"1000" min:"1" max:"10000" doc:"Users a page."`
	GroupPageSize int        `yaml:"group_page_size" default:"10" min:"1" max:"1000" doc:"Groups a page; their members come along."`
	MaxEntries    int        `yaml:"max_entries" default:"1000000" min:"1" max:"100000000" doc:"Most users, and most groups, that a read may find; above it the read is incomplete and says so."`
	MaxMembers    int        `yaml:"max_members" default:"1000000" min:"1" max:"100000000" doc:"Most members that one group may have; above it the read is incomplete and says so."`
	Thresholds    Thresholds `yaml:"thresholds" doc:"What one run may change before a person must approve it."`
	Retention     Retention  `yaml:"retention" doc:"When somebody gone from the directory, and disabled at once, is deleted for good. Both must have passed."`
}

// Attributes name the LDAP attributes behind our own. The keys are SCIM's.
type Attributes struct {
	ID             string   `yaml:"id" doc:"What an entry keeps for life, e.g. entryUUID."`
	UserName       []string `yaml:"userName" doc:"Unique name of a user."`
	Formatted      []string `yaml:"formatted" doc:"Full name."`
	GivenName      []string `yaml:"givenName" doc:"First name."`
	FamilyName     []string `yaml:"familyName" doc:"Last name."`
	DisplayName    []string `yaml:"displayName" doc:"Name to show."`
	Emails         []string `yaml:"emails" doc:"E-mail addresses; the first is the primary one."`
	Title          []string `yaml:"title" doc:"Title."`
	Department     []string `yaml:"department" doc:"Department."`
	Organization   []string `yaml:"organization" doc:"Company."`
	EmployeeNumber []string `yaml:"employeeNumber" doc:"Employee number."`
	LastLogin      []string `yaml:"lastLogin" doc:"When a user last signed in, as a Windows file time or a Generalized Time."`
	GroupName      []string `yaml:"groupName" doc:"Name of a group."`
	Members        []string `yaml:"members" doc:"Attributes of a group that hold DNs of members; all are read."`
	MemberUIDs     string   `yaml:"memberUIDs" doc:"Attribute of a group that holds user names, e.g. memberUid."`
	MemberURLs     string   `yaml:"memberURLs" doc:"Attribute of a group that holds searches for members, e.g. memberURL."`
}

// Thresholds hold back a plan that would change too much. 100 percent switches
// one off.
type Thresholds struct {
	DisabledPercent int `yaml:"disabled_percent" default:"5" min:"1" max:"100" doc:"Hold when more than this share of the users would be disabled…"`
	DisabledMin     int `yaml:"disabled_min" default:"20" min:"1" doc:"…and at least this many."`
	MembersPercent  int `yaml:"members_percent" default:"20" min:"1" max:"100" doc:"Hold when a group would lose more than this share of its members…"`
	MembersAbove    int `yaml:"members_above" default:"20" min:"1" doc:"…and had more than this many."`
	AdminGrowth     int `yaml:"admin_growth" default:"5" min:"1" doc:"Hold additions when a group that gives an administration right would grow by more than this many."`
	VanishPercent   int `yaml:"vanish_percent" default:"20" min:"1" max:"100" doc:"Hold when a mapped attribute would vanish from more than this share of the users who had it, or all members from this share of the groups…"`
	VanishMin       int `yaml:"vanish_min" default:"20" min:"1" doc:"…and from at least this many, or from most of a few."`
	RenamedPercent  int `yaml:"renamed_percent" default:"5" min:"1" max:"100" doc:"Hold when more than this share of the users, or of the groups, would get another name…"`
	RenamedMin      int `yaml:"renamed_min" default:"20" min:"1" doc:"…and at least this many."`
}

// Retention says when what is gone is deleted for good.
type Retention struct {
	Reads int      `yaml:"reads" default:"3" min:"1" max:"10000" doc:"Complete reads without it."`
	For   Duration `yaml:"for" default:"7d" min:"1h" max:"3650d" doc:"Time since the first of them."`
}
