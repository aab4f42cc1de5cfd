package edge

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func conns(t *testing.T, most int, within time.Duration) *Conns {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &Conns{Listener: l, Most: most, Within: within}
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// One connection too many is closed, and once another one is over there is room again.
func TestOneConnectionTooManyIsClosed(t *testing.T) {
	l := conns(t, 2, time.Minute)
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial(t, l)
	first := <-accepted
	dial(t, l)
	<-accepted
	if !l.Crowded() || l.Open() != 2 {
		t.Errorf("two of two: crowded %v, open %d", l.Crowded(), l.Open())
	}

	third := dial(t, l)
	if _, err := third.Read(make([]byte, 1)); err == nil {
		t.Error("a third of two was answered")
	}
	if l.Turned() != 1 {
		t.Errorf("%d were turned away", l.Turned())
	}
	first.Close()
	first.Close() // which counts once
	dial(t, l)
	<-accepted
	if l.Open() != 2 {
		t.Errorf("%d are open", l.Open())
	}
}

// Who takes nothing is cut off, and who takes it, however long that is, gets all of it.
func TestWhoDoesNotTakeAnAnswerIsCutOff(t *testing.T) {
	const size = 32 << 20 // more than the buffers of both ends hold
	for reads, within := range map[bool]time.Duration{false: time.Second, true: time.Minute} {
		l := conns(t, 1, within)
		client := dial(t, l)
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan int64, 1)
		if reads {
			go func() { n, _ := io.Copy(io.Discard, client); got <- n }()
		}
		n, err := server.Write(make([]byte, size))
		server.Close()
		switch {
		case !reads && !errors.Is(err, os.ErrDeadlineExceeded):
			t.Errorf("nobody reads: %d bytes, %v", n, err)
		case reads && (err != nil || n != size || <-got != size):
			t.Errorf("somebody reads: %d bytes, %v", n, err)
		}
	}
}
