package esdbserver

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A scripted connection gives the bytes that it was made of.
type scripted struct {
	net.Conn
	io.Reader
}

func (s scripted) Read(b []byte) (int, error) { return s.Reader.Read(b) }

// passed returns what a patient connection makes of bytes.
func passed(b []byte) ([]byte, error) {
	return io.ReadAll(newPatient(scripted{Reader: bytes.NewReader(b)}, &connections{}))
}

// request is a connection's beginning with one request, its block of headers
// in one frame and as many continuations as it takes.
func request(t testing.TB, frameSize int, fields ...hpack.HeaderField) []byte {
	t.Helper()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := e.WriteField(f); err != nil {
			t.Fatal(err)
		}
	}
	b := bytes.NewBufferString(clientPreface)
	f := http2.NewFramer(b, nil)
	rest := block.Bytes()
	part := rest[:min(len(rest), frameSize)]
	rest = rest[len(part):]
	if err := f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: part, EndHeaders: len(rest) == 0, PadLength: 7,
		Priority: http2.PriorityParam{StreamDep: 3, Weight: 5},
	}); err != nil {
		t.Fatal(err)
	}
	for len(rest) > 0 {
		part, rest = rest[:min(len(rest), frameSize)], rest[min(len(rest), frameSize):]
		if err := f.WriteContinuation(1, len(rest) == 0, part); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.WriteData(1, true, []byte("data")); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fieldsOf reads what a connection passed on: the headers of one request, then
// its data.
func fieldsOf(t testing.TB, b []byte) []hpack.HeaderField {
	t.Helper()
	b, ok := bytes.CutPrefix(b, []byte(clientPreface))
	if !ok {
		t.Fatalf("%q does not begin as a client does", b)
	}
	f := http2.NewFramer(nil, bytes.NewReader(b))
	f.ReadMetaHeaders = hpack.NewDecoder(headerTable, nil)
	frame, err := f.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	headers, ok := frame.(*http2.MetaHeadersFrame)
	if !ok {
		t.Fatalf("the first frame is %v", frame)
	}
	fields := headers.Fields
	frame, err = f.ReadFrame()
	if data, ok := frame.(*http2.DataFrame); err != nil || !ok || string(data.Data()) != "data" {
		t.Fatalf("the second frame is %v, %v", frame, err)
	}
	return fields
}

func TestHeadersArePassedOnButForThoseThatTrouble(t *testing.T) {
	long := strings.Repeat("long ", 8000)
	fields := []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":path", Value: "/x"}, {Name: ":scheme", Value: "http"},
		{Name: "grpc-timeout", Value: "abc"}, {Name: "grpc-encoding", Value: "snappy"}, {Name: "own", Value: long},
	}
	for _, size := range []int{100, 16 << 10} {
		b, err := passed(request(t, size, fields...))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range fieldsOf(t, b) {
			got[f.Name] = f.Value
		}
		if got[timeoutHeader] != "abc" || got["own"] != long || got[":path"] != "/x" || len(got) != 5 {
			t.Errorf("frames of %d bytes: %d fields, timeout %q", size, len(got), got[timeoutHeader])
		}
	}
	if _, err := passed(request(t, 100, fields[5], fields[5])); !errors.Is(err, errHeaders) {
		t.Errorf("headers that are too long: %v", err)
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add(request(f, 20, hpack.HeaderField{Name: ":path", Value: "/x"}, hpack.HeaderField{Name: "grpc-timeout", Value: "1S"}))
	f.Add([]byte(clientPreface))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := passed(b)
		if err != nil {
			return
		}
		if again, err := passed(out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%q became %q, and that %q, %v", b, out, again, err)
		}
	})
}

func FuzzParseUUID(f *testing.F) {
	f.Add("12345678-9abc-4def-8123-456789abcdef")
	f.Add("{abcdefab-cdef-4abc-8def-abcdefabcd00}")
	f.Add("abcdefabcdef4abc8defabcdefabcd01")
	f.Fuzz(func(t *testing.T, s string) {
		u, ok := parseUUID(s)
		if !ok {
			return
		}
		if again, ok := parseUUID(u.String()); !ok || again != u {
			t.Errorf("%q is %v, and that is %v", s, u, again)
		}
		most, least := u.halves()
		if fromHalves(most, least) != u {
			t.Errorf("%v is not its halves", u)
		}
	})
}

func TestATimeoutIsReadInEveryUnit(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1S": time.Second, "2M": 2 * time.Minute, "99999999H": 0, "5m": 5 * time.Millisecond,
		"999u": 0, "1000u": time.Millisecond, "0n": 0, "S": 0, "123456789S": 0, "-1S": 0,
	} {
		if got := parseTimeout(text); got != want {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
}
