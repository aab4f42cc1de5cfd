package postgres

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// An Address says where the server is and how to talk to it. See [ParseAddress].
type Address struct {
	config *pgxpool.Config
	hosts  string
}

// settings are those that an address may have.
var settings = []string{
	"host", "port", "dbname", "user", "password", "passfile", "require_auth", "channel_binding",
	"connect_timeout", "client_encoding", "options", "application_name",
	"sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcertmode", "sslnegotiation", "sslsni",
	"krbspn", "krbsrvname", "service", "servicefile", "target_session_attrs", "min_protocol_version",
	"max_protocol_version",
}

// ParseAddress reads a connection string as libpq does, in either form:
// "postgres://ledger@db1,db2/ledger?sslmode=verify-full" or
// "host=/run/postgresql dbname=ledger". Environment variables, password and service
// files count as they do there. What libpq refuses is refused, and so is what asks
// for a server that is not the primary. No error contains the string, since a
// password may be in it.
func ParseAddress(s string) (*Address, error) {
	_, err := pgconn.ParseConfigWithOptions(s, pgconn.ParseConfigOptions{ConnStringAllowedKeys: settings})
	if err != nil {
		return nil, fmt.Errorf("connection string: %w", plain(err))
	}
	c, err := pgxpool.ParseConfig(s)
	if err != nil {
		return nil, fmt.Errorf("connection string: %w", plain(err))
	}
	if asksForStandby(c.ConnConfig.ValidateConnect) {
		return nil, errors.New("connection string: target_session_attrs asks for a standby: only the primary knows " +
			"what was acknowledged; leave the setting out")
	}

	// With several hosts one that does not answer must not be waited for without end.
	if c.ConnConfig.ConnectTimeout == 0 || c.ConnConfig.ConnectTimeout > time.Minute {
		c.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	if _, set := c.ConnConfig.RuntimeParams["application_name"]; !set {
		c.ConnConfig.RuntimeParams["application_name"] = "consentledger"
	}
	a := &Address{config: c, hosts: hostOf(c.ConnConfig.Host, c.ConnConfig.Port)}
	for _, f := range c.ConnConfig.Fallbacks {
		if host := hostOf(f.Host, f.Port); !strings.HasSuffix(a.hosts, host) { // one host, without TLS
			a.hosts += "," + host
		}
	}
	return a, nil
}

// String returns the servers, without user and password.
func (a *Address) String() string { return a.hosts }

func hostOf(host string, port uint16) string {
	if strings.HasPrefix(host, string(os.PathSeparator)) {
		return host
	}
	return net.JoinHostPort(host, fmt.Sprint(port))
}

// plain is err without the string that it is about, and says what would be right.
func plain(err error) error {
	text := err.Error()
	if _, is := errors.AsType[*pgconn.ParseConfigError](err); !is {
		return errors.New("it cannot be read")
	}
	if at := strings.LastIndex(text, "`: "); at >= 0 {
		text = text[at+len("`: "):]
	}
	if name, is := strings.CutPrefix(text, "connection string key "); is {
		name, _, _ = strings.Cut(name, " is not in")
		return fmt.Errorf("there is no setting %s; there are %s", name, strings.Join(settings, ", "))
	}
	return errors.New(text + "; it is written postgres://user@host/database?setting=value or host=... dbname=..., " +
		"and special characters in a URL percent-encoded, as in %40 for @")
}

// asksForStandby reports whether target_session_attrs, which made validate, wants
// another server than the primary.
func asksForStandby(validate pgconn.ValidateConnectFunc) bool {
	if validate == nil {
		return false
	}
	at := reflect.ValueOf(validate).Pointer()
	for _, f := range []pgconn.ValidateConnectFunc{
		pgconn.ValidateConnectTargetSessionAttrsStandby, pgconn.ValidateConnectTargetSessionAttrsPreferStandby,
		pgconn.ValidateConnectTargetSessionAttrsReadOnly,
	} {
		if reflect.ValueOf(f).Pointer() == at {
			return true
		}
	}
	return false
}

// Called returns the same address, for connections that pg_stat_activity shows under
// a name, where none was asked for.
func (a *Address) Called(name string) *Address {
	config := a.config.Copy()
	if params := config.ConnConfig.RuntimeParams; params["application_name"] == "consentledger" {
		params["application_name"] = name
	}
	return &Address{config: config, hosts: a.hosts}
}
