package main

import (
	"errors"
	"net/http"

	"github.com/spf13/cobra"
)

func (a *app) auditReindex() *cobra.Command {
	return &cobra.Command{
		Use: "reindex", Short: "Make what audit records are listed and found by anew", Args: cobra.NoArgs,
		Long: `Make what audit records are listed and found by anew, where usherd audit verify
says that it is not what they say, and verify the trail again. The records and
their chain are never touched. While the chain itself is broken nothing is done:
what a record is listed by may be all that is left of what it said.`,
		Example: "  usherd audit reindex\n  usherd audit reindex -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := a.answer(cmd.Context(), question{http.MethodPost, "/api/v1/audit/reindex", nil, "", false})
			if err != nil {
				return err
			}
			if err := a.print(text, columns("MENDED=mended OK=ok RECORDS=records BROKEN=broken_at DETAIL=detail")); err != nil {
				return err
			}
			return notOK(text, errors.New("the audit trail is not as it was written"))
		},
	}
}
