package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what the build says of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  usherd version -o json", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.checkFormat(); err != nil {
				return err
			}
			if a.format == "table" {
				fmt.Fprintf(a.stdout, "usherd %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
				return nil
			}
			text := fmt.Sprintf(`{"version":%q,"go":%q,"os":%q,"arch":%q}`, version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return a.print([]byte(text), columns("VERSION=version GO=go OS=os ARCH=arch"))
		},
	}
}
