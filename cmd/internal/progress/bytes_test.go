package progress

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestBytesSayHowFarItIsEveryFewSeconds(t *testing.T) {
	for all, want := range map[int64]string{
		0: "bundle: 10.0 MB, 5.0 MB/s\nbundle: 20.0 MB, 5.0 MB/s\nbundle: 30.0 MB, 5.0 MB/s\n",
		40_000_000: "bundle: 10.0 of 40.0 MB (25%), 5.0 MB/s, 6s left\n" +
			"bundle: 20.0 of 40.0 MB (50%), 5.0 MB/s, 4s left\n" +
			"bundle: 30.0 of 40.0 MB (75%), 5.0 MB/s, 2s left\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			w := Bytes(&out, "bundle", all)
			for range 6 {
				time.Sleep(time.Second)
				if n, err := w.Write(make([]byte, 5_000_000)); n != 5_000_000 || err != nil {
					t.Fatal(n, err)
				}
			}
			if out.String() != want {
				t.Errorf("%q, want %q", out.String(), want)
			}
		})
	}
}
