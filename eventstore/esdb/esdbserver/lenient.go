package esdbserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/metadata"
)

// A lenient listener hands on connections whose request headers have been made
// such as our gRPC library takes. The real server is more patient: a
// grpc-timeout that it cannot read is no timeout to it, and an encoding that
// it does not know troubles it only in messages that use it. And where a time
// runs out it says so, while our library may reset the call instead: timeouts
// come to us under a name of our own.
type lenient struct {
	net.Listener
	open *connections
}

func (l lenient) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.add(c)
	return newPatient(c, l.open), nil
}

const (
	clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	headerTable   = 4096
	maxHeaders    = 64 << 10 // bytes of one request's headers, as they travel and as they are
)

func newPatient(c net.Conn, open *connections) *patient {
	p := &patient{Conn: c, open: open, in: bufio.NewReaderSize(c, 32<<10), preface: len(clientPreface)}
	p.encoder = hpack.NewEncoder(&p.block)
	p.decoder = hpack.NewDecoder(headerTable, nil)
	p.decoder.SetMaxStringLength(maxHeaders)
	return p
}

var errHeaders = fmt.Errorf("esdbserver: the headers of a request are more than %d bytes, or not whole", maxHeaders)

// A patient connection passes HTTP/2 frames on as they come, except that it
// reads each block of headers and writes it anew. Only one goroutine reads.
type patient struct {
	net.Conn
	open    *connections
	in      *bufio.Reader
	preface int    // bytes of the preface that are still to come
	pass    int    // bytes of a frame that are still to be passed on
	ready   []byte // bytes of our own that are still to be handed on
	decoder *hpack.Decoder
	encoder *hpack.Encoder
	block   bytes.Buffer
}

// Frame types and flags of RFC 9113.
const (
	frameHeaders      = 0x1
	frameContinuation = 0x9
	flagEndHeaders    = 0x4
	flagPadded        = 0x8
	flagPriority      = 0x20
)

func (p *patient) Close() error {
	p.open.remove(p.RemoteAddr().String())
	return p.Conn.Close()
}

func (p *patient) Read(b []byte) (int, error) {
	for {
		switch {
		case len(p.ready) > 0:
			n := copy(b, p.ready)
			p.ready = p.ready[n:]
			return n, nil
		case p.preface > 0:
			n, err := p.in.Read(b[:min(len(b), p.preface)])
			p.preface -= n
			return n, err
		case p.pass > 0:
			n, err := p.in.Read(b[:min(len(b), p.pass)])
			p.pass -= n
			return n, err
		}
		if err := p.frame(); err != nil {
			return 0, err
		}
	}
}

// frame begins with the next frame.
func (p *patient) frame() error {
	var head [9]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return err
	}
	if head[3] != frameHeaders {
		p.ready = append(p.ready[:0], head[:]...)
		p.pass = frameLength(head)
		return nil
	}
	return p.headers(head)
}

func frameLength(head [9]byte) int { return int(head[0])<<16 | int(head[1])<<8 | int(head[2]) }

// headers reads a block of headers, which may go on in further frames, and
// makes ready one that says the same in one frame.
func (p *patient) headers(head [9]byte) error {
	flags, stream := head[4], binary.BigEndian.Uint32(head[5:])
	if frameLength(head) > maxHeaders {
		return errHeaders
	}
	payload := make([]byte, frameLength(head))
	if _, err := io.ReadFull(p.in, payload); err != nil {
		return err
	}
	prefix := 0
	if flags&flagPadded != 0 {
		if len(payload) == 0 || int(payload[0]) >= len(payload) {
			return errHeaders
		}
		payload = payload[1 : len(payload)-int(payload[0])]
	}
	if flags&flagPriority != 0 {
		prefix = 5
	}
	if len(payload) < prefix {
		return errHeaders
	}
	block := payload[prefix:]

	for ended := flags&flagEndHeaders != 0; !ended; {
		var next [9]byte
		if _, err := io.ReadFull(p.in, next[:]); err != nil {
			return err
		}
		if next[3] != frameContinuation || binary.BigEndian.Uint32(next[5:]) != stream ||
			len(block)+frameLength(next) > maxHeaders {
			return errHeaders
		}
		more := make([]byte, frameLength(next))
		if _, err := io.ReadFull(p.in, more); err != nil {
			return err
		}
		block = append(block, more...)
		ended = next[4]&flagEndHeaders != 0
	}
	return p.rewrite(block, payload[:prefix], flags&^flagPadded, stream)
}

// rewrite makes a block ready as a header frame, and as continuations if it is
// longer than a frame may be.
func (p *patient) rewrite(block, priority []byte, flags byte, stream uint32) error {
	fields, err := p.decode(block)
	if err != nil {
		return err
	}
	p.block.Reset()
	p.block.Write(priority)
	for _, f := range fields {
		switch {
		case f.Name == "grpc-timeout":
			f.Name = timeoutHeader
		case f.Name == "grpc-encoding" && f.Value != "gzip" && f.Value != "identity":
			continue
		}
		if err := p.encoder.WriteField(f); err != nil {
			return err
		}
	}

	const most = 16 << 10
	p.ready = p.ready[:0]
	rest := p.block.Bytes()
	for kind := byte(frameHeaders); ; kind = frameContinuation {
		part := rest[:min(len(rest), most)]
		rest = rest[len(part):]
		f := flags &^ flagEndHeaders
		if len(rest) == 0 {
			f |= flagEndHeaders
		}
		if kind == frameContinuation {
			f &= flagEndHeaders
		}
		p.ready = append(p.ready, byte(len(part)>>16), byte(len(part)>>8), byte(len(part)), kind, f)
		p.ready = binary.BigEndian.AppendUint32(p.ready, stream)
		p.ready = append(p.ready, part...)
		if len(rest) == 0 {
			return nil
		}
	}
}

// decode reads a block. What is small as it travels may be large: that is
// counted.
func (p *patient) decode(block []byte) ([]hpack.HeaderField, error) {
	var fields []hpack.HeaderField
	size := uint32(0)
	p.decoder.SetEmitFunc(func(f hpack.HeaderField) {
		if size += f.Size(); size <= maxHeaders {
			fields = append(fields, f)
		}
	})
	if _, err := p.decoder.Write(block); err != nil {
		return nil, fmt.Errorf("esdbserver: headers: %w", err)
	}
	if err := p.decoder.Close(); err != nil {
		return nil, fmt.Errorf("esdbserver: headers: %w", err)
	}
	if size > maxHeaders {
		return nil, errHeaders
	}
	return fields, nil
}

// timeoutHeader is where grpc-timeout stands in the requests that we see.
const timeoutHeader = "esdbserver-timeout"

var timeoutForm = regexp.MustCompile(`^[0-9]{1,8}[HMSmun]$`)

var timeoutUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second,
	'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// timeoutOf returns how long a call may take, 0 if it does not say. Less than
// a millisecond says nothing, as to the real server.
func timeoutOf(ctx context.Context) time.Duration {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get(timeoutHeader)
	if len(values) == 0 {
		return 0
	}
	return parseTimeout(values[0])
}

func parseTimeout(text string) time.Duration {
	if !timeoutForm.MatchString(text) {
		return 0
	}
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 64)
	unit := timeoutUnits[text[len(text)-1]]
	if err != nil || n > int64(maxTimeout/unit) {
		return 0
	}
	if d := time.Duration(n) * unit; d >= time.Millisecond {
		return d
	}
	return 0
}

// maxTimeout is the longest timeout that is kept: ten years.
const maxTimeout = 10 * 365 * 24 * time.Hour
