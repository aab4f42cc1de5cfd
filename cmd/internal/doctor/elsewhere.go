package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"consentledger/cmd/internal/server"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/vault"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// serverPatience is how long a server is waited for that holds a part of the ledger.
const serverPatience = 10 * time.Second

// A part of a ledger may be in a server of its own.
type part struct {
	check  string
	place  server.Location
	at     string // as its flag says it
	schema string // that PostgreSQL has of it; empty: it makes one whenever its shape changes
}

// elsewhere looks at the servers that hold parts of the ledger. All is there if the directory
// can be opened with them, and nothing would be made in them by that.
func (d *Doctor) elsewhere(ctx context.Context) (all bool) {
	all = true
	for _, p := range []part{
		{"store", server.RecordsPlace, d.Dir.Store, "consentledger"},
		{"vault", server.VaultPlace, d.Dir.Vault, "consentledger_vault"},
		{"views", server.ViewsPlace, d.Views, ""},
	} {
		there := d.part(ctx, p)
		all = all && (there || p.check == "views")
	}
	return d.vaultKeys() && all
}

// part looks at one server, and reports whether the part is in it, or in the directory.
func (d *Doctor) part(ctx context.Context, p part) (there bool) {
	address, err := p.place.Address(p.at)
	if err != nil {
		d.say(p.check, "broken", err.Error(),
			"say in one way where it is: with "+p.place.Flag+", or by the environment")
		return false
	}
	if address == "" {
		return true
	}
	engine, err := p.place.Engine(address)
	if err != nil {
		d.say(p.check, "broken", err.Error(), "name a server with "+p.place.Flag+" that can hold it")
		return false
	}

	ctx, stop := context.WithTimeout(ctx, serverPatience)
	defer stop()
	if engine.Example == server.PostgreSQL.Example {
		return d.postgres(ctx, p, address)
	}
	return d.eventStoreDB(ctx, p, address)
}

// postgres looks at a database. It makes nothing in it.
func (d *Doctor) postgres(ctx context.Context, p part, address string) (there bool) {
	at, err := postgres.ParseAddress(address)
	if err != nil {
		d.say(p.check, "broken", p.place.Flag+": "+err.Error(), "write it as in "+server.PostgreSQL.Example)
		return false
	}
	c, err := pgx.ConnectConfig(ctx, at.Config().ConnConfig)
	if err != nil {
		found, fix := whyNotPostgres(err)
		d.say(p.check, "broken", fmt.Sprintf("PostgreSQL at %s %s", at, found), fix+p.place.Flag)
		return false
	}
	defer c.Close(context.WithoutCancel(ctx))

	var user, database string
	var may bool
	err = c.QueryRow(ctx, `SELECT current_user, current_database(), has_database_privilege(current_database(), 'CREATE'),
		EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, p.schema).Scan(&user, &database, &may, &there)
	switch {
	case err != nil:
		d.say(p.check, "broken", fmt.Sprintf("PostgreSQL at %s did not answer: %v", at, err),
			"look at the server's log")
	case !there && !may:
		d.say(p.check, "broken", fmt.Sprintf("the user %s may make no schema in the database %s at %s", user, database,
			at),
			fmt.Sprintf(`run, as the owner of the database: GRANT CREATE ON DATABASE "%s" TO "%s"`, database, user))
	default:
		has := "can be written: serve makes what it needs in the database "
		if there {
			has = "has it in the database "
		}
		found := fmt.Sprintf("PostgreSQL at %s %s%s", at, has, database)
		if p.check == "vault" {
			found += logged(ctx, c, database)
		}
		d.say(p.check, "ok", found, "")
	}
	return there && err == nil
}

// logged returns what is to be said of a vault's server whose own log keeps sealed texts and wrapped keys,
// beyond the erasure of whose they are. It is nothing that keeps a ledger from working.
func logged(ctx context.Context, c *pgx.Conn, database string) string {
	var shows bool
	err := c.QueryRow(ctx, `SELECT coalesce(current_setting('log_parameter_max_length', true), '-1') <> '0' AND
		(current_setting('log_statement') IN ('mod', 'all') OR current_setting('log_min_duration_statement') <> '-1'
			OR coalesce(current_setting('log_min_duration_sample', true), '-1') <> '-1'
			OR coalesce(current_setting('log_transaction_sample_rate', true), '0') <> '0')`).Scan(&shows)
	switch {
	case err != nil:
		return "; what its own log shows cannot be said: " + err.Error()
	case shows:
		return fmt.Sprintf(`; its own log shows sealed texts and wrapped keys, which an erasure leaves there: run, as its `+
			`administrator, ALTER DATABASE "%s" SET log_parameter_max_length = 0`, database)
	}
	return ""
}

// whyNotPostgres says in words why there is no connection, and what to look at. The text of
// the library's own error would say where the password comes from.
func whyNotPostgres(err error) (found, fix string) {
	if e, is := errors.AsType[*pgconn.PgError](err); is {
		switch e.Code {
		case "28P01", "28000":
			return "does not let the user in: " + e.Message, "look at the user and the password of "
		case "3D000":
			return "has no such database: " + e.Message, "make the database (CREATE DATABASE), or name another with "
		}
		return "refuses: " + e.Message, "do what the message says, or name another server with "
	}
	if why, is := errors.AsType[*pgconn.ConnectError](err); is {
		err = errors.Unwrap(why)
	}
	if postgres.NeedsOperator(err) {
		return "cannot be used: " + err.Error(), "do what the message says, or name another server with "
	}
	return "cannot be reached: " + err.Error(), "start it, or look at host, port and TLS of "
}

// eventStoreDB looks whether the streams can be read and written. It writes nothing.
func (d *Doctor) eventStoreDB(ctx context.Context, p part, address string) (there bool) {
	at, err := esdb.ParseAddress(address)
	if err != nil {
		d.say(p.check, "broken", p.place.Flag+": "+err.Error(), "write it as in "+server.EventStoreDB.Example)
		return false
	}

	s, err := esdb.Open(at, esdb.Options{})
	if err != nil {
		d.say(p.check, "broken", err.Error(), "look at "+p.place.Flag)
		return false
	}
	defer s.Close()
	warnings, err := s.CheckRights(ctx)
	switch {
	case errors.Is(err, esdb.ErrDenied):
		d.say(p.check, "broken", err.Error(), "give the ledger's user what it needs, as the message says")
		return false
	case err != nil:
		d.say(p.check, "broken", fmt.Sprintf("the event store at %s cannot be reached: %v", at, err),
			"start it, or look at host, port and TLS of "+p.place.Flag)
		return false
	}

	found := fmt.Sprintf("the event store at %s can be read and written", at)
	for _, w := range warnings {
		found += "; " + w
	}

	d.say(p.check, "ok", found, "")
	return true
}

// vaultKeys looks at the file with the keys of a vault elsewhere, which is never made.
func (d *Doctor) vaultKeys() bool {
	name := d.Dir.VaultKeys
	if name == "" {
		name = os.Getenv(server.KeysVariable)
	}

	given, err := server.CheckKeysText(d.Dir.KEK)
	switch {
	case given && name != "":
		d.say("keys", "broken", server.KeysTextVariable+" has the keys of the vault, and --vault-keys or "+
			server.KeysVariable+" names a file with them", "give one of the two, rather the file")
		return false
	case err != nil:
		d.say("keys", "broken", err.Error(), "give the whole text of the file of keys, as it is or in base64")
		return false
	case given:
		return true
	}

	address, err := server.VaultPlace.Address(d.Dir.Vault)
	switch {
	case err != nil || address == "" && name == "":
		return true
	case name == "":
		d.say("keys", "broken", "persons are shared with other processes, and no file names the keys that all of "+
			"them need",
			"name it with --vault-keys; consentledger keys new makes one for a new vault")
		return false
	}

	_, err = vault.OpenSealedKeys(name, true, server.KEKOf(d.Dir.KEK))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.say("keys", "broken", "there is no file "+name,
			"bring it back from where you keep a copy; for a new vault: consentledger keys new")
	case err != nil:
		d.say("keys", "broken", err.Error(),
			"bring the file back from where you keep a copy, for its owner alone; if it is sealed, name what unseals "+
				"it with --kek-command")
	}
	return err == nil
}
