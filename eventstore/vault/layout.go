package vault

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"consentledger/eventstore"
)

// The package comment has the layout of the rows in words.
const (
	space      = "v/"
	appRows    = space + "a"
	detachRows = space + "d"
	entryRows  = space + "e"
	erasedRows = space + "g"
	endRows    = space + "h"
	linkRows   = space + "k"
	finderRows = space + "f"
	dueRows    = space + "i"
	proofRows  = space + "j"
	lookupRows = space + "l"
	ownRows    = space + "m"
	nearsRows  = space + "n"
	partRows   = space + "p"
	keptRows   = space + "q"
	heldRows   = space + "r"
	orderRows  = space + "o"
	foldRows   = space + "s"
	tombRows   = space + "t"
	wrapsRows  = space + "w"
)

var checkKey = []byte(space + "c")

const version = 1

// IsAppKey reports whether a row is made with the key of an app, and holds nothing of a
// person: the key, or the time of the app's last erasure.
func IsAppKey(key []byte) bool {
	return bytes.HasPrefix(key, []byte(appRows)) || bytes.HasPrefix(key, []byte(erasedRows))
}

// A mac is what a lookup becomes under its app's key.
type mac [16]byte

// rowKey returns the key of a kind of rows for app, followed by parts.
func rowKey(kind, app string, parts ...[]byte) []byte {
	size := len(kind) + 1 + len(app)
	for _, p := range parts {
		size += len(p)
	}
	b := make([]byte, 0, size)
	b = append(b, kind...)
	b = append(b, byte(len(app)))
	b = append(b, app...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func appRowKey(app string) []byte             { return rowKey(appRows, app) }
func entryKey(app string, p Pseudonym) []byte { return rowKey(entryRows, app, p[:]) }
func erasedKey(app string) []byte             { return rowKey(erasedRows, app) }
func endKeys(app string, m mac) []byte        { return rowKey(endRows, app, m[:]) }
func endKey(app string, m mac, p Pseudonym) []byte {
	return rowKey(endRows, app, m[:], p[:])
}
func lookupKey(app string, m mac) []byte         { return rowKey(lookupRows, app, m[:]) }
func nearKeys(app string, near mac) []byte       { return rowKey(nearsRows, app, near[:]) }
func nearKey(app string, near, m mac) []byte     { return rowKey(nearsRows, app, near[:], m[:]) }
func ownNearKeys(app string, p Pseudonym) []byte { return rowKey(ownRows, app, p[:]) }
func ownNearKey(app string, p Pseudonym, m mac) []byte {
	return rowKey(ownRows, app, p[:], m[:])
}
func linkKeys(app string, p Pseudonym) []byte { return rowKey(linkRows, app, p[:]) }
func partKeys(app string, p Pseudonym) []byte { return rowKey(partRows, app, p[:]) }
func foldKeys(app string, p Pseudonym) []byte { return rowKey(foldRows, app, p[:]) }
func foldKey(app string, p Pseudonym, name string) []byte {
	return rowKey(foldRows, app, p[:], []byte(name))
}
func orderKey(app string, p Pseudonym) []byte { return rowKey(orderRows, app, p[:]) }

func proofKey(app string, p Pseudonym) []byte { return rowKey(proofRows, app, p[:]) }
func keptKey(app string, p Pseudonym) []byte  { return rowKey(keptRows, app, p[:]) }
func heldKey(app string, p Pseudonym) []byte  { return rowKey(heldRows, app, p[:]) }
func finderKeys(app string, f finder) []byte  { return rowKey(finderRows, app, f[:]) }
func finderKey(app string, f finder, p Pseudonym) []byte {
	return rowKey(finderRows, app, f[:], p[:])
}

// dueKey returns the key of a row that stands in the order of time, of all apps.
func dueKey(at int64, app string, p Pseudonym) []byte {
	return rowKey(string(binary.BigEndian.AppendUint64([]byte(dueRows), uint64(at))), app, p[:])
}
func tombKeys(app string, m mac) []byte { return rowKey(tombRows, app, m[:]) }
func detachKey(app string, p Pseudonym, m mac) []byte {
	return rowKey(detachRows, app, p[:], m[:])
}
func linkKey(app string, p Pseudonym, n int) []byte {
	return binary.BigEndian.AppendUint32(linkKeys(app, p), uint32(n))
}
func partKey(app string, p Pseudonym, event eventstore.EventID, role string) []byte {
	return rowKey(partRows, app, p[:], event[:], []byte(role))
}
func tombKey(app string, m mac, until int64) []byte {
	return binary.BigEndian.AppendUint64(tombKeys(app, m), uint64(until))
}

// versioned returns a value: the version byte, then parts.
func versioned(parts ...[]byte) []byte {
	b := []byte{version}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// body returns what follows the version byte of value, which has at least size
// bytes. The noun is for the error.
func body(noun string, value []byte, size int) ([]byte, error) {
	switch {
	case len(value) == 0:
		return nil, fmt.Errorf("vault: %s: empty", noun)
	case value[0] != version:
		return nil, fmt.Errorf("vault: %s: version %d, this program knows %d", noun, value[0], version)
	case len(value)-1 < size:
		return nil, fmt.Errorf("vault: %s: %d bytes, want at least %d", noun, len(value)-1, size)
	}
	return value[1:], nil
}

// fields appends each field to b after its length, so that no two lists of
// fields give the same bytes.
func fields(b []byte, list ...string) []byte {
	for _, f := range list {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return b
}
