package turn

import (
	"context"
	"fmt"

	"consentledger/eventstore/postgres"
)

const taken = `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND classid::bigint << 32 | objid::bigint = $1 AND objsubid = 1)`

// Taken returns those of some names of which somebody has the turn, for whoever has to
// know whether a process works. One that is paused may have lost its turn, and one that
// begins may not have it yet.
func Taken(ctx context.Context, at *postgres.Address, names ...string) (all []string, err error) {
	conn, err := dial(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("turns: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))

	for _, name := range names {
		var is bool
		if err := conn.QueryRow(ctx, taken, Key(name)).Scan(&is); err != nil {
			return nil, fmt.Errorf("turn %s: %w", name, err)
		}
		if is {
			all = append(all, name)
		}
	}
	return all, nil
}
