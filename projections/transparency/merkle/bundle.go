package merkle

import (
	"encoding/binary"
	"fmt"

	"consentledger/eventstore"
)

// AppendEntry adds a record to an entry bundle: two bytes of length, then the
// record. A record is never longer than [eventstore.MaxData].
func AppendEntry(bundle, record []byte) []byte {
	if len(record) > eventstore.MaxData {
		panic(fmt.Sprintf("merkle: a record of %d bytes", len(record)))
	}
	return append(binary.BigEndian.AppendUint16(bundle, uint16(len(record))), record...)
}

// CutEntry takes the first record off a bundle. It is a part of the bundle.
func CutEntry(bundle []byte) (record, rest []byte, err error) {
	if len(bundle) < 2 {
		return nil, nil, fmt.Errorf("the bundle ends where an entry should begin")
	}
	n := int(binary.BigEndian.Uint16(bundle))
	if len(bundle) < 2+n {
		return nil, nil, fmt.Errorf("the bundle ends within an entry of %d bytes", n)
	}
	return bundle[2 : 2+n : 2+n], bundle[2+n:], nil
}

// Prefix returns the first n entries of a bundle, which has as many.
func Prefix(bundle []byte, n int) ([]byte, error) {
	rest := bundle
	for i := range n {
		var err error
		if _, rest, err = CutEntry(rest); err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", i, n, err)
		}
	}
	return bundle[:len(bundle)-len(rest)], nil
}

// MaxBundle is the size of the largest bundle.
const MaxBundle = Width * (2 + eventstore.MaxData)
