package edge

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Hosts are the names under which the ledger may be asked. The zero Hosts are
// the loopback names: localhost, 127.0.0.0/8 and ::1.
//
// They are there because of pages whose name leads to this machine: whoever owns
// evil.example can let it point to 127.0.0.1, and then a browser takes the ledger
// for a part of that page. What it cannot do is say another Host.
type Hosts struct {
	names []string // in lower case, without port
	local bool     // and the address that a connection came to
}

// ParseHosts returns the loopback names and more: names or addresses, without
// scheme, port and path.
func ParseHosts(more []string) (Hosts, error) {
	var h Hosts
	for _, name := range more {
		name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
		if _, err := netip.ParseAddr(name); err != nil && !isHostname(name) {
			return Hosts{}, errHost
		}
		h.names = append(h.names, canonical(name))
	}
	return h, nil
}

// Listening returns h and where HTTP listens: as it was said, and the address
// that came of it. Who listens on every address is asked under each of them, too,
// as a number.
func (h Hosts) Listening(listen string, at net.Addr) Hosts {
	for _, address := range []string{listen, at.String()} {
		name, _, err := net.SplitHostPort(address)
		if err != nil || name == "" {
			continue // every address, which the other one says
		}
		h.names = append(slices.Clip(h.names), canonical(strings.ToLower(name)))
		if ip, err := netip.ParseAddr(name); err == nil && ip.IsUnspecified() {
			h.local = true
		}
	}
	return h
}

var errHost = errors.New("want host names or addresses, separated by commas, without scheme, port and path, " +
	"as in ledger.example.com; what is not ASCII as browsers send it, as in xn--bcher-kva.example")

// isHostname reports whether every label of a name is one of the DNS, or has
// underscores, as names of containers do.
func isHostname(name string) bool {
	const known = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	return len(name) <= 253 && !slices.ContainsFunc(strings.Split(name, "."), func(label string) bool {
		return label == "" || len(label) > 63 || strings.Trim(label, known) != ""
	})
}

// allow reports whether a request asks under one of the names.
func (h Hosts) allow(r *http.Request) bool {
	name := hostname(r.Host)
	if name == "localhost" || slices.Contains(h.names, name) {
		return true
	}

	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	at, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !h.local || at == nil {
		return false
	}
	came, err := netip.ParseAddrPort(at.String())
	return err == nil && came.Addr().Unmap().WithZone("") == ip.Unmap().WithZone("")
}

// hostname returns the name in a Host header, without its port, in the one way
// in which it is compared.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return canonical(strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), "."))
}

// canonical returns an address in the one way in which browsers write it: IPv6 has
// many spellings, and IPv4 one inside IPv6. A name stays as it is.
func canonical(name string) string {
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return name
	}
	return ip.Unmap().WithZone("").String()
}
