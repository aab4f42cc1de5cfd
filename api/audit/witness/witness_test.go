package witness

import (
	"strings"
	"testing"
	"time"
)

func TestPoliciesThatAreRefused(t *testing.T) {
	const vkey = "sigsum.example.org+33d7b496+AeHTwbcxmBaEPdHQDkCgSdzcTSFwpNn7MkYBlXlJKVaX" // of a log, not a witness
	for name, want := range map[string]string{
		"witness w " + vkey + " https://w.example.org\nquorum w\n": "line 1: the key of the witness w",
		"\nwitness w\nquorum w\n":                                  "line 2",
		"quorum nobody\n":                                          "nobody",
		"":                                                         "no quorum",
		"frobnicate\n":                                             "line 1: unknown keyword",
	} {
		if _, err := ParsePolicy([]byte(name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}

func TestTimesTellTheLongestGap(t *testing.T) {
	at := func(minute int) time.Time { return time.Unix(int64(1_000_000+60*minute), 0).UTC() }
	var times Times
	times.Since = at(0)
	if from, to := times.Longest(at(7)); from != at(0) || to != at(7) {
		t.Errorf("nobody ever signed: %v to %v", from, to)
	}
	times.quorum(at(10))
	times.quorum(at(12))
	times.quorum(at(40))
	times.quorum(at(41))
	if from, to := times.Longest(at(42)); from != at(12) || to != at(40) {
		t.Errorf("the longest that is over: %v to %v", from, to)
	}
	if from, to := times.Longest(at(90)); from != at(41) || to != at(90) {
		t.Errorf("one that goes on: %v to %v", from, to)
	}
	times.quorum(at(30)) // a witness whose clock is behind
	if times.Last != at(41) {
		t.Errorf("the last quorum went back to %v", times.Last)
	}
	k := kept{Times: times, Signed: []byte("x\n1\n\n— a b\n")}
	if back, err := parseKept(k.format()); err != nil || back.Times != k.Times || string(back.Signed) != string(k.Signed) {
		t.Errorf("%+v comes back as %+v: %v", k, back, err)
	}
}

// FuzzParseKept: what is read is what would be written, and nothing crashes.
func FuzzParseKept(f *testing.F) {
	f.Add([]byte("consentledger cosigned v1\nsince 1\nlast 2\ngap 1 2\n\nnote"))
	f.Add([]byte("consentledger cosigned v1\nsince 0\nlast 0\ngap 0 0\n\n"))
	f.Add([]byte("consentledger cosigned v1\n\n\n\n\n\n"))
	f.Add([]byte("consentledger cosigned v1\n2\n \np\n\n")) // it crashed once
	f.Fuzz(func(t *testing.T, text []byte) {
		if k, err := parseKept(text); err == nil && string(k.format()) != string(text) {
			t.Errorf("%q was read, and is written as %q", text, k.format())
		}
	})
}

// FuzzAnswer: no answer of a witness crashes, and none counts without its
// signature.
func FuzzAnswer(f *testing.F) {
	p, err := ParsePolicy([]byte("witness w " + testKey + " https://w.example.org\nquorum w\n"))
	if err != nil {
		f.Fatal(err)
	}
	signed := []byte("logs.example.com/a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— logs.example.com/a Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n")
	f.Add(200, "— witness.example.com AAAA\n")
	f.Add(409, "12\n")
	f.Add(409, "-1\n")
	f.Fuzz(func(t *testing.T, status int, text string) {
		answer, err := readAnswer(status, text)
		if err != nil {
			return
		}
		if line, _, err := signatureOf(p.Witnesses[0], signed, answer); err == nil {
			t.Errorf("%q counts as a signature", line)
		}
	})
}

// testKey is of a witness that signs nothing.
const testKey = "witness.example.com+39e75b37+BMe0MWGL7EviAeyLW4DjWMESfME7+e81Hu7swI8NH9hh"
