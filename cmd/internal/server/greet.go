package server

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"

	"consentledger/api/nats/subject"
	"consentledger/cmd/internal/buildinfo"
	"consentledger/cmd/internal/configfile"
)

// greet prints what a newcomer needs next. An address is one that can be opened here, also if
// every address of the machine is listened on.
func (h *Server) greet(out io.Writer, listening, window net.Listener) {
	addr := dialable(listening.Addr().String())
	fmt.Fprintf(out, "consentledger %s: ready\n\n  pages %[2]s://%[3]s/ui/\n  HTTP  %[2]s://%[3]s\n  NATS  %[4]s\n",
		buildinfo.Version, h.scheme(), addr, dialableURL(h.ClientURL()))
	if window != nil {
		fmt.Fprintf(out, "  ESDB  esdb://%s?tls=false  (to read)\n", dialable(window.Addr().String()))
	}

	fmt.Fprintf(out, "  data  %s\n", h.Config.Data)
	if !h.Config.Demo {
		if server := h.scheme() + "://" + addr; server != configfile.ServerDefault {
			fmt.Fprintf(out, "\nThe verbs ask it with:  export %s=%s\n", configfile.ServerVariable, server)
		}
		if len(h.Logs.Logged()) == 0 {
			fmt.Fprint(out, "\nRegister an app next:  consentledger app add NAME --handler \"...\"\n")
		}
		return
	}

	fmt.Fprintf(out, `
Try:
  curl -s http://%[1]s/v1/apps/smartkey/subjects/user-2/consents
  nats req -s %[2]s %[3]s '{"subject":"user-2","purpose":"personalisation"}'
  go run ./cmd/consentledger replay --server http://%[1]s --app smartkey --subject user-2
  go run ./cmd/consentledger check --server http://%[1]s --app smartkey --subject user-1 --purpose personalisation
  go run ./cmd/consentledger report deadlines --server http://%[1]s --app smartkey

user-1 agreed; user-2 agreed and withdrew personalisation; user-3 refused. The requests and incidents
of the weeks before the first start are made up, and so are their times.
Ctrl-C stops.
`, addr, dialableURL(h.ClientURL()), subject.Of("smartkey", "check"))
}

// dialable returns an address under which somebody on this machine reaches who listens on one.
// Nothing is reached under 0.0.0.0 and [::], which stand for every address.
func dialable(listening string) string {
	at, err := netip.ParseAddrPort(listening)
	if err != nil || !at.Addr().IsUnspecified() {
		return listening
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
}

// dialableURL is [dialable] for a URL.
func dialableURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	u.Host = dialable(u.Host)
	return u.String()
}
