package store

// A dialect is what differs between the engines in the text of a statement.
type dialect struct {
	engine   engine
	name     string // the type of columns that are compared bytewise
	clock    string // expression: milliseconds since 1970 by the database's clock
	find     string // function: where one text is in another, 0 if it is not
	bytewise string // suffix of a TEXT column: compare bytewise
	row      string // column: what names a row physically
	noIndex  string // prefix of a column: an index on it is not to be used
	update   string // suffix of a SELECT: lock the rows till commit
	share    string // suffix of a SELECT: keep the rows as they are till commit
}

type engine uint8

const (
	sqlite engine = iota + 1
	postgres
)

// SQLite needs no row locks: its write transaction is alone.
var (
	sqliteDialect = dialect{
		engine:  sqlite,
		name:    "TEXT",
		clock:   "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
		find:    "instr",
		row:     "rowid",
		noIndex: "+",
	}
	postgresDialect = dialect{
		engine:   postgres,
		name:     `TEXT COLLATE "C"`,
		clock:    "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
		find:     "strpos",
		row:      "ctid",
		bytewise: ` COLLATE "C"`,
		update:   " FOR UPDATE",
		share:    " FOR SHARE",
	}
)
