package answers

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"regexp"
	"strconv"
	"strings"
)

// A disguise gives what a table names other names at a server, so that it can
// be asked there again and again, and beside what others have stored: it puts a
// prefix before the names of streams, and changes the ids of events. What
// comes back is given the table's names again. The zero disguise changes
// nothing.
type disguise struct {
	prefix string
	mask   uint32            // of the first 32 bits of an id
	ids    map[uint32]uint32 // what was sent, by what comes back
}

func newDisguise(prefix string) *disguise {
	d := &disguise{prefix: prefix, ids: map[uint32]uint32{}}
	if prefix != "" {
		d.mask = crc32.ChecksumIEEE([]byte(prefix)) | 1
	}
	return d
}

// name returns what a stream is called at the server. What makes it a stream
// of metadata, or of the system, stays in front. A name that is nothing else is
// refused by servers, and stays.
func (d *disguise) name(name string) string {
	rest := strings.TrimLeft(name, "$")
	if rest == "" {
		return name
	}
	return name[:len(name)-len(rest)] + d.prefix + rest
}

var idForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-([0-9a-f]{12}|\{i12\})$`)

const noID = "00000000-0000-0000-0000-000000000000"

// out disguises a request, and returns it.
func (d *disguise) out(v any) any {
	if d.prefix == "" {
		return v
	}

	switch v := v.(type) {
	case map[string]any:
		d.link(v)
		for key, inner := range v {
			text, isText := inner.(string)
			switch {
			case key == "stream_name":
				v[key] = d.bytes(inner, d.name)
			case key == "string" && isText && idForm.MatchString(text) && text != noID:
				first, _ := strconv.ParseUint(text[:8], 16, 32)
				v[key] = fmt.Sprintf("%08x", d.sent(uint32(first))) + text[8:]
			case key == "most_significant_bits":
				v[key] = d.half(inner, d.sent)
			default:
				v[key] = d.out(inner)
			}
		}
	case []any:
		for i, inner := range v {
			v[i] = d.out(inner)
		}
	}
	return v
}

// link disguises the stream that an event names which is a link, as in 0@name.
func (d *disguise) link(event map[string]any) {
	metadata, _ := event["metadata"].(map[string]any)
	data, _ := event["data"].(string)
	revision, name, named := strings.Cut(data, "@")
	if metadata["type"] == "$>" && named {
		event["data"] = revision + "@" + d.name(name)
	}
}

// bytes changes text, which is written as {"base64": ...} if it is not UTF-8.
func (d *disguise) bytes(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case map[string]any:
		if plain, err := base64.StdEncoding.DecodeString(fmt.Sprint(v["base64"])); err == nil {
			return map[string]any{"base64": base64.StdEncoding.EncodeToString([]byte(change(string(plain))))}
		}
	}
	return v
}

// sent returns what the first bits of an id are sent as.
func (d *disguise) sent(first uint32) uint32 {
	d.ids[first^d.mask] = first
	return first ^ d.mask
}

// received returns what the first bits of an id are in the table.
func (d *disguise) received(first uint32) uint32 {
	if was, ours := d.ids[first]; ours {
		return was
	}
	return first
}

// half changes the first half of an id, a number.
func (d *disguise) half(v any, change func(uint32) uint32) any {
	n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	if err != nil || n == 0 {
		return v
	}
	bits := uint64(n)
	bits = uint64(change(uint32(bits>>32)))<<32 | bits&(1<<32-1)
	return strconv.FormatInt(int64(bits), 10)
}

// in takes the disguise from an answer, and returns it.
func (d *disguise) in(v any) any {
	if d.prefix == "" {
		return v
	}

	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			text, isText := inner.(string)
			switch {
			case key == "string" && isText && idForm.MatchString(text):
				first, _ := strconv.ParseUint(text[:8], 16, 32)
				v[key] = fmt.Sprintf("%08x", d.received(uint32(first))) + text[8:]
			case key == "stream_name":
				v[key] = d.bytes(inner, d.text)
			case key == "most_significant_bits":
				v[key] = d.half(inner, d.received)
			default:
				v[key] = d.in(inner)
			}
		}
	case []any:
		for i, inner := range v {
			v[i] = d.in(inner)
		}
	case string:
		return d.text(v)
	}
	return v
}

func (d *disguise) text(text string) string {
	if d.prefix == "" {
		return text
	}
	return strings.ReplaceAll(text, d.prefix, "")
}
