// Package natsservice answers requests over NATS, as a service that the nats
// tool lists, describes and counts (nats service list, info, stats).
//
// It speaks the protocol of nats.go's package micro and uses its types. That
// package counts a request when its handler returns, and an error only if the
// handler itself answered with one. The ledger's handlers hand a request on and
// return before it is answered, so that one slow person holds back nobody else:
// there every request took microseconds and none ever failed. Here a request is
// counted when it is answered, with the time since it came.
//
// [Service.Close] returns when everything that the server had sent is answered;
// micro's Stop does not wait.
package natsservice

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"consentledger/api/nats/subject"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// A Config says what a service is called. Of several processes with the same
// queue group one gets each request.
type Config struct {
	Name, Version, Description, QueueGroup string
}

// An Endpoint answers the requests on a subject. Handle gets one after the other
// and may return before it is answered; each is answered once.
type Endpoint struct {
	Name, Subject string
	Metadata      map[string]string
	Handle        func(*Request)
}

// A Service is open until Close.
type Service struct {
	config  Config
	conn    *nats.Conn
	id      string
	started time.Time
	work    sync.WaitGroup // requests that are not answered yet

	endpoints []*endpoint
	monitors  []*nats.Subscription
}

type endpoint struct {
	Endpoint
	subscription *nats.Subscription

	mu    sync.Mutex
	stats micro.EndpointStats
}

// Open opens a service. Nothing is guaranteed about requests that come before it
// returns.
func Open(nc *nats.Conn, c Config, endpoints []Endpoint) (_ *Service, err error) {
	s := &Service{config: c, conn: nc, id: rand.Text(), started: time.Now().UTC()}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, e := range endpoints {
		one := &endpoint{Endpoint: e}
		one.subscription, err = nc.QueueSubscribe(e.Subject, c.QueueGroup, func(m *nats.Msg) {
			s.work.Add(1)
			one.Handle(&Request{Msg: m, service: s, endpoint: one, came: time.Now()})
		})
		if err != nil {
			return nil, fmt.Errorf("subject %s: %w", e.Subject, err)
		}
		s.endpoints = append(s.endpoints, one)
	}
	return s, s.monitor()
}

// monitor answers those who ask about services.
func (s *Service) monitor() error {
	for verb, value := range map[micro.Verb]func() any{
		micro.PingVerb:  func() any { return micro.Ping{ServiceIdentity: s.identity(), Type: micro.PingResponseType} },
		micro.InfoVerb:  func() any { return s.Info() },
		micro.StatsVerb: func() any { return s.Stats() },
	} {
		for _, who := range [][2]string{{}, {s.config.Name}, {s.config.Name, s.id}} {
			on, err := micro.ControlSubject(verb, who[0], who[1])
			if err != nil {
				return err
			}
			sub, err := s.conn.Subscribe(on, func(m *nats.Msg) {
				text, err := json.Marshal(value())
				if err != nil {
					panic("natsservice: what a service says of itself does not make JSON: " + err.Error())
				}
				_ = s.send(&nats.Msg{Subject: m.Reply, Data: text}) // whoever asks asks again
			})
			if err != nil {
				return err
			}
			s.monitors = append(s.monitors, sub)
		}
	}
	return nil
}

func (s *Service) identity() micro.ServiceIdentity {
	return micro.ServiceIdentity{Name: s.config.Name, ID: s.id, Version: s.config.Version,
		Metadata: map[string]string{}}
}

// Info says what the service's endpoints are.
func (s *Service) Info() micro.Info {
	info := micro.Info{ServiceIdentity: s.identity(), Type: micro.InfoResponseType, Description: s.config.Description}
	for _, e := range s.endpoints {
		info.Endpoints = append(info.Endpoints, micro.EndpointInfo{
			Name: e.Name, Subject: e.Subject, QueueGroup: s.config.QueueGroup, Metadata: e.Metadata,
		})
	}
	return info
}

// Stats counts what was answered since the service was opened. What the client
// had no room for is an error, too.
func (s *Service) Stats() micro.Stats {
	stats := micro.Stats{ServiceIdentity: s.identity(), Type: micro.StatsResponseType, Started: s.started}
	for _, e := range s.endpoints {
		e.mu.Lock()
		one := e.stats
		e.mu.Unlock()

		one.Name, one.Subject, one.QueueGroup = e.Name, e.Subject, s.config.QueueGroup
		if one.NumRequests > 0 {
			one.AverageProcessingTime = one.ProcessingTime / time.Duration(one.NumRequests)
		}
		if dropped, err := e.subscription.Dropped(); err == nil && dropped > 0 {
			one.NumErrors += dropped
			one.LastError = nats.ErrSlowConsumer.Error()
		}
		stats.Endpoints = append(stats.Endpoints, &one)
	}
	return stats
}

// Close takes no more requests, and returns when those that the server had sent
// are answered. If the server is away nothing more comes from it.
func (s *Service) Close() {
	closed := make(chan struct{}, len(s.endpoints))
	waits := 0
	for _, e := range s.endpoints {
		e.subscription.SetClosedHandler(func(string) { closed <- struct{}{} })
		if e.subscription.Drain() == nil && s.conn.IsConnected() {
			waits++
		}
	}
	for _, m := range s.monitors {
		_ = m.Unsubscribe()
	}

	late := time.After(5 * time.Second)
wait:
	for range waits {
		select {
		case <-closed:
		case <-late:
			break wait
		}
	}
	s.work.Wait()
	if s.conn.IsConnected() {
		_ = s.conn.FlushTimeout(5 * time.Second) // an answer that is lost is asked for again
	}
}

// A Request waits for its answer.
type Request struct {
	*nats.Msg
	service  *Service
	endpoint *endpoint
	came     time.Time
}

// Answer answers the request and counts it; as an error, if the answer has the
// header of one. That it cannot be sent, because the request names nobody to send
// it to, or it is too large, or there is no connection, is returned.
func (r *Request) Answer(header nats.Header, data []byte) error {
	defer r.service.work.Done()
	failed := ""
	if code := header.Get(micro.ErrorCodeHeader); code != "" {
		failed = code + ":" + header.Get(micro.ErrorHeader)
	}
	r.endpoint.count(time.Since(r.came), failed) // first: who has the answer may ask for the count
	return r.service.send(&nats.Msg{Subject: r.Reply, Header: header, Data: data})
}

// ErrNoInbox says that a request wants its answer where the ledger sends none; see
// [subject.TakesAnswer].
var ErrNoInbox = errors.New("the request names a subject for its answer that is no inbox")

func (s *Service) send(m *nats.Msg) error {
	if m.Subject == "" {
		return nats.ErrMsgNoReply
	}
	if !subject.TakesAnswer(m.Subject) {
		return ErrNoInbox
	}
	return s.conn.PublishMsg(m)
}

// Fits reports whether an answer of so many bytes can be sent.
func (r *Request) Fits(size int) bool {
	return int64(size) <= r.service.conn.MaxPayload()-1024 // headers count, too
}

func (e *endpoint) count(took time.Duration, failed string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.NumRequests++
	e.stats.ProcessingTime += took
	if failed != "" {
		e.stats.NumErrors++
		e.stats.LastError = failed
	}
}

// Failure returns the headers of an answer that is an error.
func Failure(status int, title, contentType string) nats.Header {
	return nats.Header{
		micro.ErrorHeader: {title}, micro.ErrorCodeHeader: {strconv.Itoa(status)}, "Content-Type": {contentType},
	}
}
