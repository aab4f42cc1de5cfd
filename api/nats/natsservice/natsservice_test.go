package natsservice

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

func connect(t *testing.T) *nats.Conn {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	nc, err := nats.Connect(s.ClientURL(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// ask asks a monitor.
func ask(t *testing.T, nc *nats.Conn, subject string, into any) {
	t.Helper()
	m, err := nc.Request(subject, nil, time.Minute)
	if err == nil {
		err = json.Unmarshal(m.Data, into)
	}
	if err != nil {
		t.Fatal(subject, err)
	}
}

func TestRequestsAreCountedWhenTheyAreAnswered(t *testing.T) {
	nc := connect(t)
	begun, hold := make(chan struct{}, 3), make(chan struct{})
	s, err := Open(nc, Config{Name: "test", Version: "1.2.3", Description: "a test", QueueGroup: "q"}, []Endpoint{{
		Name: "echo", Subject: "echo.*", Metadata: map[string]string{"a": "b"},
		Handle: func(r *Request) {
			begun <- struct{}{}
			go func() {
				<-hold
				if string(r.Data) == "bad" {
					_ = r.Answer(Failure(422, "Refused", "text/plain"), []byte("no"))
					return
				}
				_ = r.Answer(nil, r.Data)
			}()
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	var answers sync.WaitGroup
	for _, body := range []string{"1", "2", "bad"} {
		answers.Go(func() {
			m, err := nc.Request("echo.x", []byte(body), time.Minute)
			if err != nil || (body == "bad") != (m.Header.Get(micro.ErrorCodeHeader) == "422") {
				t.Errorf("%s: %v, %v", body, m, err)
			}
		})
	}
	var stats micro.Stats
	ask(t, nc, "$SRV.STATS.test", &stats)
	if e := stats.Endpoints[0]; e.NumRequests != 0 {
		t.Errorf("counted before they are answered: %+v", e)
	}
	for range 3 { // how long each takes counts from when it came
		<-begun
	}
	const held = 50 * time.Millisecond
	time.AfterFunc(held, func() { close(hold) })
	answers.Wait()

	stats = micro.Stats{}
	ask(t, nc, "$SRV.STATS.test."+s.id, &stats)
	e := stats.Endpoints[0]
	if e.NumRequests != 3 || e.NumErrors != 1 || e.LastError != "422:Refused" || e.Name != "echo" || e.Subject != "echo.*" || e.QueueGroup != "q" {
		t.Errorf("%+v", e)
	}
	if e.AverageProcessingTime < held/2 || e.ProcessingTime != e.AverageProcessingTime*3 && e.ProcessingTime/3 != e.AverageProcessingTime {
		t.Errorf("it took %v, on average %v", e.ProcessingTime, e.AverageProcessingTime)
	}
	var info micro.Info
	ask(t, nc, "$SRV.INFO.test", &info)
	if info.Type != micro.InfoResponseType || info.Version != "1.2.3" || info.Description != "a test" || info.Endpoints[0].Metadata["a"] != "b" {
		t.Errorf("%+v", info)
	}
	var ping micro.Ping
	ask(t, nc, "$SRV.PING", &ping)
	if ping.Type != micro.PingResponseType || ping.ID != s.id || ping.Name != "test" {
		t.Errorf("%+v", ping)
	}
}

func TestClosingAnswersWhatWasSentBefore(t *testing.T) {
	nc := connect(t)
	asker, err := nats.Connect(nc.ConnectedUrl(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	begun, hold := make(chan struct{}, 3), make(chan struct{})
	s, err := Open(nc, Config{Name: "test", Version: "1.0.0", QueueGroup: "q"}, []Endpoint{{Name: "echo", Subject: "echo", Handle: func(r *Request) {
		begun <- struct{}{}
		<-hold
		_ = r.Answer(nil, r.Data)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil { // the server has the subscription: what comes before is dropped
		t.Fatal(err)
	}
	answers, err := asker.SubscribeSync("_INBOX.answers")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := asker.PublishRequest("echo", "_INBOX.answers", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := asker.Flush(); err != nil {
		t.Fatal(err)
	}
	<-begun
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	close(hold)
	<-closed
	for i := range 3 {
		if _, err := answers.NextMsg(time.Minute); err != nil {
			t.Errorf("answer %d: %v", i, err)
		}
	}
	if _, err := asker.Request("echo", nil, time.Minute); err != nats.ErrNoResponders {
		t.Errorf("a closed service: %v", err)
	}
}
