package edge

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// piece is how much of an answer has to be taken in one go of [Conns.Within].
const piece = 64 << 10

// Conns are the connections of a listener: no more than so many, and each of them takes
// what is sent to it, or is closed.
type Conns struct {
	net.Listener
	Most   int           // connections that are open at once
	Within time.Duration // how long 64 KiB of an answer may take, also in the middle of a stream

	open   atomic.Int64
	closed atomic.Int64
}

// Accept returns the next connection. One too many is closed at once, which its client
// sees, and may try again: nothing was asked yet.
func (c *Conns) Accept() (net.Conn, error) {
	for {
		one, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c.open.Add(1) > int64(c.Most) {
			c.open.Add(-1)
			c.closed.Add(1)
			one.Close()
			continue
		}
		return &conn{Conn: one, of: c}, nil
	}
}

// Crowded reports whether connections are so many that those which nobody uses now had
// better be closed.
func (c *Conns) Crowded() bool { return 4*c.open.Load() > 3*int64(c.Most) }

// Open is how many connections are open, and Turned how many were closed because they
// were too many.
func (c *Conns) Open() int     { return int(c.open.Load()) }
func (c *Conns) Turned() int64 { return c.closed.Load() }

type conn struct {
	net.Conn
	of   *Conns
	once sync.Once
}

// Write writes piece by piece, each within its time: an answer may be as large as it is,
// and its client as slow as it is, but it has to go on.
func (c *conn) Write(b []byte) (n int, err error) {
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.of.Within)); err != nil {
			return n, err
		}
		some := min(len(b)-n, piece)
		wrote, err := c.Conn.Write(b[n : n+some])
		n += wrote
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

// CloseWrite ends what is written, so that the other side still reads all of it: a server
// does so before it closes a connection on which not all was read.
func (c *conn) CloseWrite() error {
	half, can := c.Conn.(interface{ CloseWrite() error })
	if !can {
		return nil
	}
	return half.CloseWrite()
}

func (c *conn) Close() error {
	c.once.Do(func() { c.of.open.Add(-1) })
	return c.Conn.Close()
}
