package esdbserver

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc/peer"
)

// reset breaks the connection that a call came by.
func (s *Server) reset(ctx context.Context) {
	if p, ok := peer.FromContext(ctx); ok {
		s.connections.close(p.Addr.String())
	}
}

// connections are those that are open, by the client's address.
type connections struct {
	mu   sync.Mutex
	open map[string]net.Conn
}

func (c *connections) add(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[string]net.Conn{}
	}
	c.open[conn.RemoteAddr().String()] = conn
}

func (c *connections) remove(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, address)
}

func (c *connections) close(address string) {
	c.mu.Lock()
	conn := c.open[address]
	c.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

func (c *connections) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		_ = conn.Close()
	}
}
