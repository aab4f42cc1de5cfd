package answers

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// A Player asks what a table asks.
type Player struct {
	// Server returns the address of a server, host:port. Asked for a fresh
	// one, it returns one that nothing was written to.
	Server func(fresh bool) (string, error)

	// Quiet is how long nothing must come before it counts as nothing. For a
	// real server 350 ms.
	Quiet time.Duration

	// Patience is how long an answer may take that was recorded as one.
	Patience time.Duration

	// TLS, if set, is what connections are secured with.
	TLS *tls.Config

	// Authorization is sent with every call that was recorded without one.
	Authorization string

	// Prefix, if set, is put before the names of streams and taken out of what
	// comes back, and events get other ids, so that a table can be played to a
	// server that others use, and again with another prefix. It is to be such as
	// stands in no name of theirs. Reads of all streams are not helped by it.
	Prefix string
}

// A Result is what came of one case.
type Result struct {
	Case string
	Diff string // "": the answer is the recorded one
}

// Play asks every case of a table and returns what came, in its order. An
// error is one of the table or the server, not a difference.
func (p *Player) Play(lines []*Line) ([]Result, error) {
	var results []Result
	for _, s := range Scenarios(lines) {
		scenario, err := p.scenario(s)
		results = append(results, scenario...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// Scenarios returns the lines of each scenario of a table, of those that ask
// anything. What a foreign client sent is no scenario.
func Scenarios(lines []*Line) (all [][]*Line) {
	for len(lines) > 0 {
		n := 1
		for n < len(lines) && lines[n].Scenario == lines[0].Scenario {
			n++
		}
		if lines[0].Scenario != "" && slices.ContainsFunc(lines[:n], (*Line).Asks) {
			all = append(all, lines[:n])
		}
		lines = lines[n:]
	}
	return all
}

func (p *Player) scenario(lines []*Line) ([]Result, error) {
	address, err := p.Server(lines[0].Fresh)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	s := &scenario{
		player: p,
		caller: newCaller(address, p.TLS),
		bound:  newBindings(port),
		names:  newDisguise(p.Prefix),
		open:   map[string]*call{},
	}
	defer s.caller.close()
	defer s.cancelAll()

	var results []Result
	for _, l := range lines {
		switch {
		case l.Asks():
			diff, err := s.ask(l)
			if err != nil {
				diff = err.Error()
			}
			results = append(results, Result{Case: l.Case, Diff: diff})
		default:
			if err := s.prepare(l); err != nil {
				return results, fmt.Errorf("%s: %w", l.Case, err)
			}
		}
	}
	if diff := s.bound.inOrder(); diff != "" && len(results) > 0 {
		results[len(results)-1].Diff += " positions out of order: " + diff
	}
	return results, nil
}

// A scenario is played over one connection.
type scenario struct {
	player *Player
	caller *caller
	bound  *bindings
	names  *disguise
	open   map[string]*call
}

func (s *scenario) cancelAll() {
	for _, o := range s.open {
		o.cancel()
	}
}

// ask makes a call or goes on with one, and returns how the answer differs.
func (s *scenario) ask(l *Line) (string, error) {
	o, err := s.begin(l)
	if err != nil {
		return "", err
	}
	if l.Cancel {
		o.cancel()
		delete(s.open, l.Call)
		return "", nil
	}

	ends := l.Status != nil
	frames := s.collect(o, len(l.Responses), ends)
	diff, err := s.compare(l, o.path, frames)
	switch {
	case err != nil:
		return "", err
	case ends:
		end, err := o.end(s.player.Patience)
		if err != nil {
			return join(diff, err.Error()), nil
		}
		delete(s.open, l.Call)
		return join(diff, differentEnd(l, s.plainEnd(end))), nil
	case l.Open:
		s.open[l.Call] = o
	default:
		defer o.cancel()
	}
	select {
	case end := <-o.ended:
		return join(diff, fmt.Sprintf("the call ended: %s", shown(end))), nil
	default:
		return diff, nil
	}
}

// begin starts a call, or takes up an open one, and sends the line's requests.
func (s *scenario) begin(l *Line) (*call, error) {
	var o *call
	if l.Continues {
		if o = s.open[l.Call]; o == nil {
			return nil, fmt.Errorf("call %s is not open", l.Call)
		}
	} else {
		route, err := path(l.Method)
		if err != nil {
			return nil, err
		}
		if o, err = s.caller.start(route, s.metadata(l.Metadata)); err != nil {
			return nil, err
		}
	}

	for _, raw := range l.Requests {
		messages, err := s.messages(o.path, raw)
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			if o.send(m) != nil {
				return o, nil // the server has ended the call: it is about to say why
			}
		}
	}
	if halfClose := l.HalfClose; halfClose == nil && !l.Continues || halfClose != nil && *halfClose {
		_ = o.halfClose()
	}
	return o, nil
}

func (s *scenario) messages(route string, raw json.RawMessage) ([][]byte, error) {
	request, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if request, err = s.bound.filled(request); err != nil {
		return nil, err
	}
	return encode(route, s.names.out(request))
}

// metadata fills in what the table does not spell out.
func (s *scenario) metadata(m map[string]string) map[string]string {
	filled := map[string]string{}
	if s.player.Authorization != "" {
		filled["authorization"] = s.player.Authorization
	}

	for key, value := range m {
		if key == "authorization" && strings.HasPrefix(value, "Basic, of") {
			if s.player.Authorization != "" {
				continue
			}
			value = "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:changeit"))
		}
		filled[key] = value
	}
	return filled
}

// collect returns the frames that come: as many as are expected, and those
// that come right behind them.
func (s *scenario) collect(o *call, expected int, ends bool) [][]byte {
	var frames [][]byte
	for {
		within := s.player.Quiet
		if len(frames) < expected || ends {
			within = s.player.Patience
		}
		frame := o.next(within)
		if frame == nil {
			return frames
		}
		frames = append(frames, frame)
	}
}

func (s *scenario) compare(l *Line, route string, frames [][]byte) (string, error) {
	for i, frame := range frames {
		response, err := decode(route, frame)
		if err != nil {
			return "", fmt.Errorf("frame %d: %w", i, err)
		}
		response, _ = s.names.in(response).(map[string]any)
		var got any = response
		if l.Brief {
			got = brief(response)
		}
		at := fmt.Sprintf("frame %d", i)
		if i >= len(l.Responses) {
			return fmt.Sprintf("%s: %v, where the real one says nothing", at, got), nil
		}
		if diff := s.bound.same(l.Responses[i], got, at); diff != "" {
			return diff, nil
		}
	}

	if len(frames) < len(l.Responses) {
		return fmt.Sprintf("frame %d: nothing came instead of %v", len(frames), l.Responses[len(frames)]), nil
	}
	return "", nil
}

// plainEnd takes the disguise from how a call ended.
func (s *scenario) plainEnd(e ending) ending {
	e.details = s.names.text(e.details)
	for key, value := range e.trailers {
		e.trailers[key] = s.names.text(value)
	}
	return e
}

func differentEnd(l *Line, got ending) string {
	status := 200
	if l.HTTPStatus != 0 {
		status = l.HTTPStatus
	}
	want := ending{httpStatus: status, code: l.Status.Code, details: l.Status.Details, trailers: l.Trailers,
		trailersOnly: l.TrailerOnly}
	if want.code == nil { // then the text is the table's own
		want.details = got.details
	}
	if a, b := shown(want), shown(got); a != b {
		return fmt.Sprintf("ended %s instead of %s", b, a)
	}
	return ""
}

func shown(e ending) string {
	code := "no status"
	if e.code != nil {
		code = fmt.Sprintf("status %d", *e.code)
	}
	var trailers []string
	for key, value := range e.trailers {
		trailers = append(trailers, key+"="+value)
	}
	slices.Sort(trailers)
	return fmt.Sprintf("HTTP %d, %s %q, trailers %q, only trailers %v", e.httpStatus, code, e.details, trailers,
		e.trailersOnly)
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// prepare does what a line says that asks nothing.
func (s *scenario) prepare(l *Line) error {
	switch l.Kind {
	case "pause":
		time.Sleep(time.Duration(l.Millis) * time.Millisecond)
		return nil
	case "setup":
		return s.setUp(l)
	case "interleave":
		for i := range l.Events {
			if err := s.write(l.Streams[i%len(l.Streams)], l.IDPrefix, l.From+i, 1); err != nil {
				return err
			}
		}
		return nil
	}
	return nil // an observation
}

func (s *scenario) setUp(l *Line) error {
	for i, name := range l.Streams {
		if err := s.write(name, l.IDPrefix, 1000*i+1, l.Events); err != nil {
			return err
		}
		for _, raw := range l.Then {
			if err := s.then(name, raw); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *scenario) write(name, prefix string, from, events int) error {
	requests := []any{map[string]any{"options": map[string]any{"stream_identifier": map[string]any{"stream_name": name},
		"any": map[string]any{}}}}
	for i := range events {
		requests = append(requests, proposed(fmt.Sprintf("%s-0000-4000-8000-%012d", prefix, from+i), "t", "{}"))
	}
	return s.do("Streams.Append", requests...)
}

func proposed(id, typ, data string) any {
	return map[string]any{"proposed_message": map[string]any{
		"id": map[string]any{"string": id}, "metadata": map[string]any{"type": typ, "content-type": "application/json"},
		"data": data,
	}}
}

func (s *scenario) then(name string, raw json.RawMessage) error {
	var method string
	options := map[string]any{"options": map[string]any{"stream_identifier": map[string]any{"stream_name": name},
		"any": map[string]any{}}}
	if json.Unmarshal(raw, &method) == nil {
		return s.do("Streams."+method, options)
	}
	var limits struct{ Metadata string }
	if err := json.Unmarshal(raw, &limits); err != nil {
		return err
	}
	options["options"].(map[string]any)["stream_identifier"] = map[string]any{"stream_name": "$$" + name}
	return s.do("Streams.Append", options,
		proposed(fmt.Sprintf("%08x-0000-4000-8000-000000000000", len(name)+1), "$metadata", limits.Metadata))
}

// do makes a call that must succeed.
func (s *scenario) do(method string, requests ...any) error {
	route, err := path(method)
	if err != nil {
		return err
	}

	o, err := s.caller.start(route, s.metadata(nil))
	if err != nil {
		return err
	}
	defer o.cancel()
	for _, request := range requests {
		messages, err := encode(route, s.names.out(request))
		if err != nil {
			return err
		}
		for _, m := range messages {
			if err := o.send(m); err != nil {
				return err
			}
		}
	}
	if err := o.halfClose(); err != nil {
		return err
	}

	end, err := o.end(s.player.Patience)
	switch {
	case err != nil:
		return err
	case end.code == nil || *end.code != 0:
		return fmt.Errorf("%s: %s", method, shown(end))
	}
	return nil
}
