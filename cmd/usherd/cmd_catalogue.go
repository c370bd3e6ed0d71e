package main

import (
	"net/http"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/usherd/usherd/directory"
)

func (a *app) catalogueCommand() *cobra.Command {
	drop := func(kind, example string) *cobra.Command {
		return a.change("delete-"+kind+" KEY", "Remove a "+kind+" that nothing uses", example, cobra.ExactArgs(1),
			func(args []string) (string, string, any, error) {
				return http.MethodDelete, at("catalogue", kind+"s", args[0]), nil, nil
			})
	}
	subs := []*cobra.Command{a.show("show", "Show features in home-page order, outputs, integrations and resources", "  usherd catalogue show -o yaml", cobra.NoArgs,
		"FEATURES=features OUTPUTS=outputs INTEGRATIONS=integrations RESOURCES=resources MANAGED_BY=managed_by POLICY_REVISION=policy_revision",
		func([]string) string { return at("catalogue") })}
	subs = append(subs, changing(
		a.setFeature(), drop("feature", "  usherd catalogue delete-feature part-list"),
		a.setOutput(), drop("output", "  usherd catalogue delete-output cut-list-pdf"),
		a.setResource(), drop("resource", "  usherd catalogue delete-resource record"),
	)...)
	return parent("catalogue", "What applications protect: features, outputs, resources", subs...)
}

func (a *app) setFeature() *cobra.Command {
	var f directory.Feature
	var price, currency string
	var place int
	cmd := a.change("set-feature KEY", "Add a feature, or replace its title, actions and price",
		"  usherd catalogue set-feature part-list --title 'Part list' --action edit --action export --monthly 4.00 --currency EUR\n  usherd catalogue set-feature part-list --title 'Part list' --action edit --place 0",
		cobra.ExactArgs(1), func(args []string) (string, string, any, error) {
			if (price == "") != (currency == "") {
				return "", "", nil, usage("a price needs both --monthly and --currency")
			}
			if price != "" {
				f.Seat = &directory.Seat{Monthly: price, Currency: currency}
			}
			path := at("catalogue", "features", args[0])
			if place >= 0 {
				path += "?place=" + strconv.Itoa(place)
			}
			return http.MethodPut, path, f, nil
		})
	flags := cmd.Flags()
	flags.StringVar(&f.Title, "title", "", "what people call it")
	flags.StringSliceVar(&f.Actions, "action", nil, "an action inside the feature")
	flags.StringVar(&price, "monthly", "", "price of a seat in a month, e.g. 4.00")
	flags.StringVar(&currency, "currency", "", "currency of the price, e.g. EUR")
	flags.IntVar(&place, "place", -1, "place on the home page, from 0 (default: where it is, or last)")
	return cmd
}

func (a *app) setOutput() *cobra.Command {
	var o directory.Output
	cmd := a.change("set-output KEY", "Add a production output, or replace its title and feature", "  usherd catalogue set-output cut-list-pdf --title 'Cut list (PDF)' --feature part-list", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodPut, at("catalogue", "outputs", args[0]), o, nil
		})
	cmd.Flags().StringVar(&o.Title, "title", "", "what people call it")
	cmd.Flags().StringVar(&o.Feature, "feature", "", "the feature that must be accessible too")
	return cmd
}

func (a *app) setResource() *cobra.Command {
	var r directory.ResourceType
	cmd := a.change("set-resource TYPE", "Add a type of resource, or replace its actions and ids", "  usherd catalogue set-resource record --action read --action write --id record-1", cobra.ExactArgs(1),
		func(args []string) (string, string, any, error) {
			return http.MethodPut, at("catalogue", "resources", args[0]), r, nil
		})
	cmd.Flags().StringSliceVar(&r.Actions, "action", nil, "an action on such a thing")
	cmd.Flags().StringSliceVar(&r.IDs, "id", nil, "an id that searches list")
	return cmd
}
