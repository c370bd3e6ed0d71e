package config

// Where the decision log goes.
const (
	DecisionsNowhere  = "none"
	DecisionsToStdout = "stdout"
	DecisionsToFile   = "file"
)

// OnlyDenials keeps no allows.
const OnlyDenials = "deny"

// DecisionLog says which decisions are kept, and where.
type DecisionLog struct {
	To           string `yaml:"to" enum:"none|stdout|file" default:"none" restart:"true" doc:"Where decisions go, one JSON object a line."`
	File         string `yaml:"file" path:"true" restart:"true" doc:"The file. Unset: decisions.log in data."`
	Results      string `yaml:"results" enum:"all|deny" default:"all" doc:"Which decisions are kept: all, or denials only."`
	AllowsOneIn  int    `yaml:"allows_one_in" default:"100" min:"1" max:"1000000" doc:"Of so many allows one is kept, drawn at random. 1 keeps all."`
	DeniesOneIn  int    `yaml:"denies_one_in" default:"1" min:"1" max:"1000000" doc:"Of so many denials one is kept."`
	MaxMegabytes int    `yaml:"max_megabytes" default:"100" min:"1" max:"100000" restart:"true" doc:"Size at which the file is put aside as FILE.1, that as FILE.2, and so on."`
	Keep         int    `yaml:"keep" default:"5" min:"1" max:"1000" restart:"true" doc:"Files put aside that are kept."`
}

// Enabled reports whether there is a decision log.
func (d DecisionLog) Enabled() bool { return d.To == DecisionsToStdout || d.To == DecisionsToFile }
