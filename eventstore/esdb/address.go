package esdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// An Address says where the nodes are and how to talk to them. See [ParseAddress].
type Address struct {
	hosts    []string // host:port, to begin with
	discover bool     // the nodes tell of each other
	tls      *tls.Config
	user     string
	password string

	keepAlive        time.Duration // negative: never
	keepAliveTimeout time.Duration
	deadline         time.Duration // of a single call
	interval         time.Duration // between rounds of looking for the leader, at least
	gossip           time.Duration // what a node has to answer the first questions

	// dialer connects to a node; tests take the network away by it.
	dialer func(ctx context.Context, host string) (net.Conn, error)
}

// String returns the nodes, without user and password.
func (a *Address) String() string { return strings.Join(a.hosts, ",") }

// defaultDeadline is what a call has if the address does not say. Healthy nodes
// were seen to answer within 1.8 seconds under load; a leader that loses its
// quorum takes 2 to 4.5 seconds to say so.
const defaultDeadline = 5 * time.Second

// settings are those that an address may have, in the spelling of the documentation.
var settings = []string{
	"tls", "tlsVerifyCert", "tlsCaFile", "userCertFile", "userKeyFile", "nodePreference",
	"keepAliveInterval", "keepAliveTimeout", "defaultDeadline", "discoveryInterval", "maxDiscoverAttempts",
	"gossipTimeout",
}

// ParseAddress reads a connection string, as in
// "esdb://ledger:secret@node1:2113,node2:2113,node3:2113?tlsCaFile=ca.pem". It
// refuses what the usual clients take without a word and do not do. No error
// contains the string, since a password may be in it.
func ParseAddress(s string) (*Address, error) {
	if err := checkAddress(s); err != nil {
		return nil, fmt.Errorf("connection string: %w", err)
	}
	c, err := esdb.ParseConnectionString(s)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("connection string: %w", plain(err))
	}

	a := &Address{
		discover:         c.DnsDiscover || len(c.GossipSeeds) > 1,
		user:             c.Username,
		password:         c.Password,
		keepAlive:        c.KeepAliveInterval,
		keepAliveTimeout: c.KeepAliveTimeout,
		deadline:         defaultDeadline,
		interval:         time.Duration(c.DiscoveryInterval) * time.Millisecond,
		gossip:           time.Duration(c.GossipTimeout) * time.Second,
		dialer: func(ctx context.Context, host string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", host)
		},
	}
	if c.Address != "" {
		a.hosts = append(a.hosts, c.Address)
	}
	for _, e := range c.GossipSeeds {
		a.hosts = append(a.hosts, e.String())
	}
	if c.DefaultDeadline != nil {
		a.deadline = *c.DefaultDeadline
	}
	if c.DisableTLS {
		return a, nil
	}

	a.tls = &tls.Config{RootCAs: c.RootCAs, InsecureSkipVerify: c.SkipCertificateVerification,
		MinVersion: tls.VersionTLS12}
	if c.UserCertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.UserCertFile, c.UserKeyFile)
		if err != nil {
			return nil, fmt.Errorf("connection string: userCertFile and userKeyFile: %w", err)
		}
		a.tls.Certificates = []tls.Certificate{pair}
	}
	return a, nil
}

// plain is err without the URL that it is about.
func plain(err error) error {
	if _, is := errors.AsType[*url.Error](err); is {
		return errors.New("it is no URL; a user or password with special characters is written percent-encoded, as " +
			"in %40 for @")
	}
	return err
}

// checkAddress returns what is wrong with s that the client's parser lets pass.
func checkAddress(s string) error {
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok || scheme != "esdb" && scheme != "esdb+discover":
		return errors.New("it begins with esdb:// or esdb+discover://, also for KurrentDB")
	case strings.Contains(rest, "#"):
		return errors.New("a # would end it; in a user or password it is written %23")
	}

	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(query, "@") {
		return errors.New("an @ stands among the settings; in a user or password a ? is written %3F")
	}
	user, hosts, named := "", rest, false
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, hosts, named = rest[:at], rest[at+1:], true
	}
	if err := checkHosts(strings.TrimSuffix(hosts, "/")); err != nil {
		return err
	}
	values, err := checkQuery(query)
	if err != nil {
		return err
	}

	_, password, _ := strings.Cut(user, ":")
	switch insecure := values["tls"] == "false"; {
	case named && password == "":
		return errors.New("a user without a password would be nobody to the server: write user:password@")
	case named && insecure:
		return errors.New("with tls=false user and password are not sent, and everybody may do everything: leave " +
			"them out, or tls=false")
	case insecure && values["usercertfile"] != "":
		return errors.New("with tls=false no user certificate is sent: leave it out, or tls=false")
	}
	return nil
}

func checkHosts(hosts string) error {
	if strings.ContainsAny(hosts, "[]") {
		return errors.New("an IPv6 address cannot be written here: give the node a name")
	}

	for _, host := range strings.Split(hosts, ",") {
		name, port, has := strings.Cut(host, ":")
		if name == "" {
			return errors.New("a host is missing: nodes are written node1:2113,node2:2113")
		}
		if strings.Contains(port, ":") {
			return fmt.Errorf("host %q has more than one colon; an IPv6 address cannot be written here: give the "+
				"node a name", host)
		}
		if n, err := strconv.Atoi(port); has && (err != nil || n < 1 || n > 65535) {
			return fmt.Errorf("host %s: port %q is not one of 1 to 65535", name, port)
		}
		if strings.Contains(host, "/") {
			return fmt.Errorf("host %q is followed by a path: settings come after a ?, and nodes are parted by commas",
				host)
		}
	}
	return nil
}

// checkQuery returns the settings by their names in lower case.
func checkQuery(query string) (map[string]string, error) {
	if strings.Contains(query, ";") {
		return nil, errors.New("settings are parted by &; because of a ; all of them would be dropped, and TLS be on")
	}
	all, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the settings cannot be read: they are written a=b&c=d, special characters " +
			"percent-encoded")
	}

	values := make(map[string]string)
	for name, given := range all {
		lower := strings.ToLower(name)
		at := slices.IndexFunc(settings, func(s string) bool { return strings.ToLower(s) == lower })
		if at < 0 {
			return nil, fmt.Errorf("there is no setting %q; there are %s", name, strings.Join(settings, ", "))
		}
		if _, twice := values[lower]; twice || len(given) > 1 {
			return nil, fmt.Errorf("the setting %s stands twice", settings[at])
		}
		values[lower] = given[0]
		if err := checkSetting(settings[at], given[0]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func checkSetting(name, value string) error {
	least := 1
	switch name {
	case "nodePreference":
		if !strings.EqualFold(value, "leader") {
			return fmt.Errorf("nodePreference=%s: only the leader knows what was acknowledged; leave the setting out",
				value)
		}
		return nil
	case "tls", "tlsVerifyCert":
		if value != "true" && value != "false" {
			return fmt.Errorf("%s=%s: it is true or false", name, value)
		}
		return nil
	case "tlsCaFile", "userCertFile", "userKeyFile":
		if value == "" {
			return fmt.Errorf("%s names no file", name)
		}
		return nil
	case "keepAliveInterval":
		if value == "-1" {
			return nil
		}
		least = 10000
	}

	if n, err := strconv.Atoi(value); err != nil || n < least {
		unit := "a whole number of milliseconds"
		switch name {
		case "gossipTimeout":
			unit = "a whole number of seconds"
		case "maxDiscoverAttempts":
			unit = "a whole number"
		}
		return fmt.Errorf("%s=%s: it is %s from %d on", name, value, unit, least)
	}
	return nil
}

// hostPort returns an endpoint as an address of TCP.
func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
