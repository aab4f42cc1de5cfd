package server

import (
	"context"
	"net"
	"sync"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb/esdbserver"
)

// serveWindow shows a store to clients of EventStoreDB on l, until ctx is
// done. They may read it, and write nothing.
func serveWindow(ctx context.Context, l net.Listener, store eventstore.Store) error {
	node := esdbserver.New(esdbserver.Options{Store: store})
	until, stop := context.WithCancel(ctx)
	var closing sync.WaitGroup
	closing.Go(func() {
		<-until.Done()
		node.Close()
	})
	defer closing.Wait()
	defer stop()

	return node.Serve(l)
}
