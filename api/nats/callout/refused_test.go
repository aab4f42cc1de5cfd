package callout

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"consentledger/eventstore/freeport"

	"github.com/nats-io/nats.go"
)

// pinging is the address of a server that pings who comes before it lets them in, as a NATS
// server does now and then while it waits for the answer whom to let in.
func pinging(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })

	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "INFO {\"server_id\":\"x\",\"max_payload\":1024}\r\n")
		lines := bufio.NewScanner(c)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "PING") {
		}
		fmt.Fprint(c, "PING\r\n")
		for lines.Scan() { // until the client has gone
		}
	}()
	return "nats://" + l.Addr().String()
}

func TestAServerThatIsThereAndLetsNobodyInIsNotAway(t *testing.T) {
	connect := func(address string) error {
		nc, err := nats.Connect(address, nats.Token("x"), nats.NoReconnect(), nats.Timeout(time.Minute))
		if err == nil {
			nc.Close()
		}
		return err
	}
	broken := &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"it pings":                        {connect(pinging(t)), true},
		"it closes before all is written": {broken, true},
		"nobody listens":                  {connect("nats://" + freeport.Address(t)), false},
	} {
		if test.err == nil || refused(test.err) != test.want {
			t.Errorf("%s: %v is refused: %v", name, test.err, !test.want)
		}
	}
}
