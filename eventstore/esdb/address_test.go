package esdb

import (
	"strings"
	"testing"
	"time"
)

func TestAddressesAreRefusedBeforeTheFirstCall(t *testing.T) {
	for _, tt := range []struct{ address, says string }{
		{"", "begins with esdb://"},
		{"localhost:2113", "begins with esdb://"},
		{"http://localhost:2113", "begins with esdb://"},
		{"kurrentdb://localhost:2113", "also for KurrentDB"},
		{"esdb://", "a host is missing"},
		{"esdb://a,,b", "a host is missing"},
		{"esdb://a:67649", `port "67649"`},
		{"esdb://a:0", `port "0"`},
		{"esdb://a:", `port ""`},
		{"esdb://a,b:x1", `host b: port "x1"`},
		{"esdb://[::1]:2113", "IPv6"},
		{"esdb://::1", "a host is missing"},
		{"esdb://a:1:2", "more than one colon"},
		{"esdb://a/b", "followed by a path"},
		{"esdb://a?tls=false;defaultDeadline=10", "parted by &"},
		{"esdb://a?tls=false&tls=true", "tls stands twice"},
		{"esdb://a?tls=false&TLS=true", "tls stands twice"},
		{"esdb://a?tsl=false", `no setting "tsl"`},
		{"esdb://a?tls=no", "tls=no"},
		{"esdb://a?defaultDeadline=10s", "milliseconds"},
		{"esdb://a?defaultDeadline=0", "from 1 on"},
		{"esdb://a?gossipTimeout=5s", "seconds"},
		{"esdb://a?maxDiscoverAttempts=x", "a whole number from"},
		{"esdb://a?keepAliveInterval=100", "from 10000 on"},
		{"esdb://a?keepAliveTimeout=-1", "from 1 on"},
		{"esdb://a?nodePreference=follower", "only the leader"},
		{"esdb://a?tlsCaFile=", "names no file"},
		{"esdb://a?tlsCaFile=/nowhere/ca.pem", "no such file"},
		{"esdb://a?userCertFile=x.pem", "both userCertFile and userKeyFile"},
		{"esdb://a?userCertFile=/nowhere/x.pem&userKeyFile=/nowhere/y.pem", "userCertFile and userKeyFile"},
		{"esdb://a?userCertFile=x&userKeyFile=y&tls=false", "no user certificate is sent"},
		{"esdb://bob@a", "user:password@"},
		{"esdb://bob:@a", "user:password@"},
		{"esdb://bob:tops3cret@a?tls=false", "are not sent"},
		{"esdb://:tops3cret@a", "empty username"},
		{"esdb://bob:tops3cret#@a", "%23"},
		{"esdb://bob:tops3cret?x@a", "%3F"},
		{"esdb://bob:tops3cret/x@a", "percent-encoded"},
		{"esdb://bob:tops3cret%zz@a", "percent-encoded"},
		{"esdb://a?x=%zz", "cannot be read"},
	} {
		_, err := ParseAddress(tt.address)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want what says %q", tt.address, err, tt.says)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the password is in %q", tt.address, err)
		}
	}
}

func TestAddressesAreRead(t *testing.T) {
	for _, tt := range []struct {
		address, hosts string
		tls, discover  bool
		deadline       time.Duration
	}{
		{"esdb://a", "a:2113", true, false, defaultDeadline},
		{"esdb://a:1/?tls=false", "a:1", false, false, defaultDeadline},
		{"esdb+discover://a:1?tls=false&defaultDeadline=1500", "a:1", false, true, 1500 * time.Millisecond},
		{"esdb://bob:p%40ss@a:1,b,c:3?nodePreference=leader", "a:1,b:2113,c:3", true, true, defaultDeadline},
		{"esdb+discover://a:1,b:2?tlsVerifyCert=false&keepAliveInterval=-1", "a:1,b:2", true, true, defaultDeadline},
	} {
		a, err := ParseAddress(tt.address)
		if err != nil {
			t.Errorf("%s: %v", tt.address, err)
			continue
		}
		if a.String() != tt.hosts || (a.tls != nil) != tt.tls || a.discover != tt.discover || a.deadline != tt.deadline {
			t.Errorf("%s: hosts %s, tls %t, discover %t, deadline %v", tt.address, a, a.tls != nil, a.discover, a.deadline)
		}
		if strings.Contains(tt.address, "bob") && (a.user != "bob" || a.password != "p@ss") {
			t.Errorf("%s: user %q, password %q", tt.address, a.user, a.password)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"esdb://a", "esdb+discover://u:p@a:1,b:2?tls=true", "esdb://a?defaultDeadline=1&tls=false", "esdb://u:p/q@a,b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if len(a.hosts) == 0 || a.deadline <= 0 || a.gossip <= 0 || a.interval <= 0 || (a.user == "") != (a.password == "") {
			t.Errorf("%q was read as %+v", s, a)
		}
	})
}
