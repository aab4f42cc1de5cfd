package audit

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"consentledger/api/audit/witness"
	"consentledger/domain/ident"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"

	"github.com/go-json-experiment/json"
)

// withCosignatures returns the checkpoint with what witnesses signed of it, if
// they have seen it already.
func (s server) withCosignatures(app ident.AppName, checkpoint []byte) []byte {
	_, signed, err := cosignedOf(s.witnesses, app)
	if err != nil || !bytes.HasPrefix(signed, checkpoint) {
		return checkpoint
	}
	return signed
}

func (s server) cosigned(app ident.AppName, _ *http.Request) (answer, error) {
	_, signed, err := cosignedOf(s.witnesses, app)
	return answer{text, changes, signed}, err
}

// prove proves a record in the newest tree, or in the newest that was cosigned.
func prove(
	ctx context.Context, logs Logs, witnesses *witness.Witnesses, app ident.AppName, index int64, cosigned bool,
) (merkle.Proof, error) {
	if !cosigned {
		return logs.Proof(ctx, app, index)
	}
	c, signed, err := cosignedOf(witnesses, app)
	if err != nil {
		return merkle.Proof{}, err
	}
	return logs.ProofIn(ctx, app, index, c, signed)
}

// cosignedOf returns the newest checkpoint that a quorum signed. Without
// witnesses there is none.
func cosignedOf(witnesses *witness.Witnesses, app ident.AppName) (merkle.Checkpoint, []byte, error) {
	if witnesses == nil {
		return merkle.Checkpoint{}, nil, transparency.ErrNotThere
	}
	return witnesses.Cosigned(app)
}

// A witnessedAnswer is how far the witnesses of a log are. Times are RFC 3339, by the
// witnesses' clocks.
type witnessedAnswer struct {
	Size       int64        `json:"size"`                // records in the newest tree that a quorum signed
	Last       string       `json:"last,omitempty"`      // when; none: never
	Since      string       `json:"since,omitempty"`     // when witnesses were first asked
	GapFrom    string       `json:"longest_gap_from"`    // the longest time without a quorum, until now included
	GapTo      string       `json:"longest_gap_to"`      //
	GapSeconds int64        `json:"longest_gap_seconds"` //
	Witnesses  []saidAnswer `json:"witnesses"`           //
}

type saidAnswer struct {
	Name  string `json:"name"`
	Size  int64  `json:"size"` // of the largest tree that it is known to have signed
	At    string `json:"at,omitempty"`
	Error string `json:"error,omitempty"` // why it did not sign what it was shown last
}

func (s server) witnessed(app ident.AppName, _ *http.Request) (answer, error) {
	if s.witnesses == nil {
		return answer{}, transparency.ErrNotThere
	}

	status, err := s.witnesses.Status(app)
	if err != nil {
		return answer{}, err
	}

	from, to := status.Longest(s.witnesses.Now())
	a := witnessedAnswer{
		Size: status.Size, Last: instant(status.Last), Since: instant(status.Since),
		GapFrom: instant(from), GapTo: instant(to), GapSeconds: int64(to.Sub(from) / time.Second),
	}
	for _, said := range status.Said {
		x := saidAnswer{Name: said.Name, Size: said.Size, At: instant(said.At)}
		if said.Err != nil {
			x.Error = said.Err.Error()
		}
		a.Witnesses = append(a.Witnesses, x)
	}

	data, err := json.Marshal(a)
	return answer{"application/json", "no-store", append(data, '\n')}, err
}

// A StampAnswer is a signed checkpoint and the response of the authority that
// stamped it, as RFC 3161 has it: OpenSSL reads both.
type StampAnswer struct {
	Time       string `json:"time"` // RFC 3339, by the authority's clock
	Checkpoint string `json:"checkpoint"`
	Response   []byte `json:"response"` // DER, in base64
}

func (s server) stamped(app ident.AppName, r *http.Request) (answer, error) {
	if s.stamps == nil {
		return answer{}, transparency.ErrNotThere
	}
	stamp, err := s.stamps.Newest(r.Context(), app)
	if err != nil {
		return answer{}, err
	}
	data, err := json.Marshal(StampAnswer{instant(stamp.Time), string(stamp.Checkpoint), stamp.Response})
	return answer{"application/json", "no-store", append(data, '\n')}, err
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
