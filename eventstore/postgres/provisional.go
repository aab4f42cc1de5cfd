package postgres

import (
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

func (a *Address) Config() *pgxpool.Config { return a.config.Copy() }

type Server struct {
	System   string
	Timeline uint64
}

func ServerOf(*pgconn.PgConn) Server { return Server{} }

func NeedsOperator(error) bool { return false }
