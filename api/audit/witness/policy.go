package witness

import (
	"fmt"
	"net/url"
	"strings"

	"filippo.io/torchwood"
)

// A Policy says whose signatures a checkpoint must carry, in the text form of
// C2SP's tlog-policy, as in
//
//	log example.com/consent/shop+1a2b3c4d+...
//	witness north north.example.org+5e6f7a8b+... https://north.example.org/
//	witness south south.example.org+9c0d1e2f+... https://south.example.org/
//	group both all north south
//	quorum both
//
// The log lines are for verifiers, the addresses for the log itself: one file
// can serve both. The format of the text may still change upstream.
type Policy struct {
	Logs      []string // the verifier keys of the log lines
	Witnesses []Witness

	whole  torchwood.Policy // as it stands, for verifiers
	quorum torchwood.Policy // without the log lines
}

// A Witness is a witness of a policy.
type Witness struct {
	Name     string // the policy's word for it
	URL      string // where checkpoints are shown to it; empty: not said
	Verifier *torchwood.CosignatureVerifier
}

// ParsePolicy reads a policy. Its errors name the line.
func ParsePolicy(text []byte) (Policy, error) {
	var p Policy
	var others []string
	for i, line := range strings.Split(string(text), "\n") {
		bare, _, _ := strings.Cut(line, "#")
		fields := strings.Fields(bare)
		if len(fields) >= 2 && fields[0] == "log" {
			p.Logs = append(p.Logs, fields[1])
			line = "" // keeps the numbers of the lines
		}
		others = append(others, line)
		if len(fields) < 3 || fields[0] != "witness" {
			continue // the library says what is wrong with it, if anything is
		}
		w, err := parseWitness(fields[1:])
		if err != nil {
			return Policy{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		p.Witnesses = append(p.Witnesses, w)
	}

	var err error
	if p.whole, err = torchwood.ParsePolicy(text); err != nil {
		return Policy{}, err
	}

	p.quorum, err = torchwood.ParsePolicy([]byte(strings.Join(others, "\n")))
	return p, err
}

func parseWitness(fields []string) (Witness, error) {
	w := Witness{Name: fields[0]}
	var err error
	if w.Verifier, err = torchwood.NewCosignatureVerifier(fields[1]); err != nil {
		return w, fmt.Errorf("the key of the witness %s: %w", w.Name, err)
	}
	if len(fields) < 3 {
		return w, nil
	}

	u, err := url.Parse(fields[2])
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return w, fmt.Errorf("the address of the witness %s: want one as in https://witness.example.org/", w.Name)
	}

	w.URL = strings.TrimSuffix(fields[2], "/")
	return w, nil
}

// LogKey returns the verifier key of the one log that the policy is about.
func (p Policy) LogKey() (string, error) {
	if len(p.Logs) != 1 {
		return "", fmt.Errorf("the policy has %d log lines; to verify one log it has one, or the key is given "+
			"beside it", len(p.Logs))
	}
	return p.Logs[0], nil
}

// Check says whether the signed checkpoint of an origin carries what the policy
// asks for. That the log itself signed it is checked only if the policy has a
// log line.
func (p Policy) Check(origin string, signed []byte) error { return check(origin, signed, p.whole) }

// Quorum says whether a signed checkpoint carries the witnesses' signatures that
// the policy asks for, whatever its log lines say.
func (p Policy) Quorum(origin string, signed []byte) error { return check(origin, signed, p.quorum) }

func check(origin string, signed []byte, p torchwood.Policy) error {
	_, _, err := torchwood.VerifyCheckpoint(signed, torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), p))
	if err != nil {
		return fmt.Errorf("the checkpoint has not the signatures that the policy asks for: %w", err)
	}
	return nil
}
