package intern_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"consentledger/eventstore/intern"
)

func TestAStringSaysWhatItsBytesSaid(t *testing.T) {
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for i := range 5000 { // more than are remembered
				for _, text := range []string{"", fmt.Sprint("text ", i), strings.Repeat("x", i%200)} {
					b := []byte(text)
					got := intern.String(b)
					copy(b, bytes.Repeat([]byte{'?'}, len(b))) // the caller uses them again
					if got != text {
						t.Errorf("%q, want %q", got, text)
					}
				}
			}
		})
	}
	workers.Wait()
}

func TestTheSameNameIsHeldOnce(t *testing.T) {
	a, b := intern.String([]byte("personalisation")), intern.String([]byte("personalisation"))
	if unsafe.StringData(a) != unsafe.StringData(b) {
		t.Error("it was made twice")
	}
}
