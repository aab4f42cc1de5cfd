package rest

import (
	"context"
	"errors"
	"net/http"

	"consentledger/api/wire"
	"consentledger/projections/rebuild"

	"github.com/danielgtaylor/huma/v2"
)

// Rebuilt is every table of every projection, as it is and as history makes it
// once more.
type Rebuilt struct {
	Same   bool           `json:"same" doc:"all of them are"`
	Tables []RebuiltTable `json:"tables"`
}

// A RebuiltTable is one table. Of a log the table is the app, and a hash is the
// root of its tree.
type RebuiltTable struct {
	Projection string `json:"projection"`
	Table      string `json:"table" doc:"all: there is none, it is damaged, or another version wrote it"`
	Position   string `json:"position" doc:"that both are as of"`
	Same       bool   `json:"same"`
	Live       string `json:"live" doc:"SHA-256 of its rows in the order of their keys; empty: there is none"`
	Rebuilt    string `json:"rebuilt"`
}

// RebuiltOf returns the public form of rows.
func RebuiltOf(rows []rebuild.Row) Rebuilt {
	r := Rebuilt{Same: true, Tables: []RebuiltTable{}}
	for _, row := range rows {
		r.Same = r.Same && row.Same()
		r.Tables = append(r.Tables, RebuiltTable{row.Projection, row.Table, wire.FormatPosition(row.Position),
			row.Same(), rebuild.Text(row.Live), rebuild.Text(row.Rebuilt)})
	}
	return r
}

// ErrChecking says that projections are being compared already.
var ErrChecking = errors.New("the projections are being compared already")

func (s *server) rebuildRoute(api huma.API) {
	route(s, api, "check-projections", http.MethodPost, "/v1/replay/check",
		"Build every projection once more from the first record, and compare; it reads the whole log",
		func(ctx context.Context, _ *struct{}) (*out[Rebuilt], error) {
			r, err := s.Rebuild(ctx)
			if errors.Is(err, ErrChecking) {
				return nil, failure{plain(http.StatusServiceUnavailable,
					"the projections are being compared already; ask again later")}
			}
			if err != nil {
				return nil, err
			}
			return ok(r)
		})
}
