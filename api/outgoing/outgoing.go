// Package outgoing says where requests go that the ledger sends by itself, to addresses that
// somebody gave it: webhooks, witnesses, time-stamping authorities. Whoever could have it ask
// any address would reach, through it, what only its own network reaches.
//
// An address is looked at when it is dialled, after names are resolved: so a name that leads
// elsewhere later, and a redirect, lead nowhere else.
package outgoing

import (
	"net/netip"
	"syscall"
)

// notPublic are the parts of the internet's address space that are nobody's on the
// internet (IANA's registries of special purposes), or that lead to other addresses.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
	"240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// globalV6 is what IANA gives out of IPv6: all else is local, or maps IPv4.
var globalV6 = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// IsPublic reports whether an address is one of the internet.
func IsPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.Zone() != "" || addr.Is6() && !globalV6.Contains(addr) {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(addr) {
			return false
		}
	}
	return addr.IsGlobalUnicast()
}

// PublicAlone returns what a [net.Dialer] asks for every address that a name has, when it is
// dialled (its Control): it refuses addresses that are not of the internet, with why.
func PublicAlone(why error) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !IsPublic(at.Addr()) {
			return why
		}
		return nil
	}
}
