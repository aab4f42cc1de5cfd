package answers

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A caller makes gRPC calls without a gRPC library: what the library would
// hide, as where a status stands, is what is asked here.
type caller struct {
	base   string
	client *http.Client

	life  context.Context // of all its calls
	end   context.CancelFunc
	calls sync.WaitGroup
}

func newCaller(address string, secure *tls.Config) *caller {
	transport := &http.Transport{DisableCompression: true, Protocols: &http.Protocols{}}
	base := "http://" + address
	if secure != nil {
		transport.TLSClientConfig = secure.Clone()
		transport.Protocols.SetHTTP2(true)
		base = "https://" + address
	} else {
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	c := &caller{base: base, client: &http.Client{Transport: transport}}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// close cancels all calls, and returns when none is left.
func (c *caller) close() {
	c.end()
	c.calls.Wait()
	c.client.CloseIdleConnections()
}

// An ending is how a call ended.
type ending struct {
	httpStatus   int
	code         *int
	details      string
	trailers     map[string]string
	trailersOnly bool
}

// A call is open until its ending has come, or it is cancelled.
type call struct {
	path     string
	requests *io.PipeWriter
	cancel   context.CancelFunc
	frames   chan []byte
	ended    chan ending // one, after the last frame
	encoding string
}

// start begins a call.
func (c *caller) start(path string, metadata map[string]string) (*call, error) {
	ctx, cancel := context.WithCancel(c.life)
	r, w := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, r)
	if err != nil {
		cancel()
		return nil, err
	}
	request.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
	for key, value := range metadata {
		request.Header.Set(key, value)
	}

	// The HTTP library does not look at ctx while it waits for more of a request.
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Canceled) })

	o := &call{path: path, requests: w, cancel: cancel, frames: make(chan []byte, 4096), ended: make(chan ending, 1),
		encoding: metadata["grpc-encoding"]}
	c.calls.Go(func() { o.run(c.client, request) })
	return o, nil
}

func (o *call) run(client *http.Client, request *http.Request) {
	defer close(o.frames)
	response, err := client.Do(request)
	if err != nil {
		o.ended <- ending{details: err.Error()}
		return
	}
	defer func() { _ = response.Body.Close() }()

	for {
		var head [5]byte
		if _, err := io.ReadFull(response.Body, head[:]); err != nil {
			if err != io.EOF {
				o.ended <- ending{httpStatus: response.StatusCode, details: err.Error()}
				return
			}
			break
		}
		message := make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(response.Body, message); err != nil {
			o.ended <- ending{httpStatus: response.StatusCode, details: err.Error()}
			return
		}
		o.frames <- message
	}
	o.ended <- readEnding(response)
}

func readEnding(response *http.Response) ending {
	e := ending{httpStatus: response.StatusCode}
	header := response.Trailer
	if response.Header.Get("Grpc-Status") != "" {
		header, e.trailersOnly = response.Header, true
	}

	if text := header.Get("Grpc-Status"); text != "" {
		if code, err := strconv.Atoi(text); err == nil {
			e.code = &code
		}
	}

	e.details = header.Get("Grpc-Message")
	if plain, err := url.PathUnescape(e.details); err == nil {
		e.details = plain
	}

	for key, values := range header {
		key = strings.ToLower(key)
		switch key {
		case "content-type", "grpc-status", "grpc-message", "grpc-status-details-bin", "date", "server",
			"content-length", "trailer":
			continue
		}
		if e.trailers == nil {
			e.trailers = map[string]string{}
		}
		e.trailers[key] = strings.Join(values, ",")
	}
	return e
}

// send writes one request.
func (o *call) send(message []byte) error {
	flag := byte(0)
	if o.encoding == "gzip" {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(message); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		flag, message = 1, packed.Bytes()
	}

	frame := binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(message)))
	_, err := o.requests.Write(append(frame, message...))
	return err
}

func (o *call) halfClose() error { return o.requests.Close() }

// next returns the next frame, nil if none came within the time or the call
// has ended.
func (o *call) next(within time.Duration) []byte {
	select {
	case frame := <-o.frames:
		return frame
	default:
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case frame := <-o.frames:
		return frame
	case <-timer.C:
		return nil
	}
}

// end returns how the call ended, or an error if it has not within the time.
func (o *call) end(within time.Duration) (ending, error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case e := <-o.ended:
		return e, nil
	case <-timer.C:
		return ending{}, fmt.Errorf("the call is still open after %v", within)
	}
}
