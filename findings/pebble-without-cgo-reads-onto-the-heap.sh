#!/bin/sh
# github.com/cockroachdb/pebble/v2 2.1.7, go 1.26, a C compiler; found 2026-11-30.
#
# What one would guess: Pebble keeps its block cache outside Go's heap, so that reading
# what is not in the cache leaves little for the garbage collector, in every build.
#
# What happens: that is so only in a build with cgo. In a static one (CGO_ENABLED=0, as
# for an image from scratch) every block that is read and decompressed is a slice of Go's
# heap, and garbage once the cache drops it. One read of a small value costs a whole block
# of garbage; the collector runs as often as blocks are read, and marks all that lives
# each time.
#
# Why it matters: a ledger measured as "go build" makes it on a developer's machine is not
# the one that its container runs. With far more persons than the cache holds the static
# build spends its time in the collector.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'EOF'
module finding
go 1.26
require github.com/cockroachdb/pebble/v2 v2.1.7
EOF
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
)

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	fmt.Printf(f, a...)
	os.Exit(1)
}

func main() {
	const keys, reads = 400_000, 20_000
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	o := &pebble.Options{Cache: cache, Logger: quiet{}}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 16 << 10
	}
	db, err := pebble.Open(os.Args[1], o)
	must(err)
	value := make([]byte, 100)
	random := rand.NewChaCha8([32]byte{1})
	for i := range keys {
		random.Read(value)
		must(db.Set(fmt.Appendf(nil, "%09d", i), value, pebble.NoSync))
	}
	must(db.Flush())

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range reads {
		v, closer, err := db.Get(fmt.Appendf(nil, "%09d", rand.IntN(keys)))
		must(err)
		if len(v) != len(value) {
			must(fmt.Errorf("a value of %d bytes", len(v)))
		}
		must(closer.Close())
	}
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / reads
	fmt.Printf("a read of %d bytes allocates a block of 16 KiB or more on Go's heap: %t\n", len(value), each >= 16<<10)
	must(db.Close())
}
EOF
go mod tidy 2>/dev/null
for cgo in 1 0; do
	CGO_ENABLED=$cgo go build -o with$cgo .
	echo "CGO_ENABLED=$cgo: $(./with$cgo "$dir/db$cgo")"
done >seen
cat >want <<'EOF'
CGO_ENABLED=1: a read of 100 bytes allocates a block of 16 KiB or more on Go's heap: false
CGO_ENABLED=0: a read of 100 bytes allocates a block of 16 KiB or more on Go's heap: true
EOF
diff want seen && echo "as seen: without cgo each read leaves its block to the garbage collector"
