package witness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// answerLimit is the size of the largest answer that is read.
const answerLimit = 1 << 14

// A knowsMore says that a witness has seen another size than was thought.
type knowsMore struct{ size int64 }

func (e knowsMore) Error() string { return fmt.Sprintf("it has seen a log of %d records", e.size) }

// ask shows a witness a checkpoint, with the proof that it extends the one of
// old records, and returns its signature line: c2sp.org/tlog-witness.
func ask(
	ctx context.Context, client *http.Client, w Witness, old int64, proof tlog.TreeProof, signed []byte,
) (string, error) {
	var body strings.Builder
	fmt.Fprintf(&body, "old %d\n", old)
	for _, h := range proof {
		fmt.Fprintln(&body, h)
	}

	body.WriteByte('\n')
	body.Write(signed)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"/add-checkpoint",
		strings.NewReader(body.String()))
	if err != nil {
		return "", err
	}

	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return "", err
	}
	return readAnswer(resp.StatusCode, string(text))
}

// readAnswer reads what a witness said.
func readAnswer(status int, text string) (string, error) {
	switch status {
	case http.StatusOK:
		return text, nil
	case http.StatusConflict:
		size, err := strconv.ParseInt(strings.TrimSuffix(text, "\n"), 10, 64)
		if err != nil || size < 0 {
			return "", errors.New("it answers with a conflict, and not with the size that it has seen")
		}
		return "", knowsMore{size}
	case http.StatusNotFound:
		return "", errors.New("it does not know this log: its keeper must add the log's origin and key")
	case http.StatusForbidden:
		return "", errors.New("it holds another key for this log")
	case http.StatusUnprocessableEntity:
		return "", errors.New("it has seen another history of this log")
	}
	return "", fmt.Errorf("it answers with the status %d", status)
}

// signatureOf returns the line of an answer that is this witness's signature of
// a checkpoint, and its time in seconds since 1970. Other lines are left out.
func signatureOf(w Witness, signed []byte, answer string) (line string, at int64, err error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return "", 0, errors.New("the checkpoint is not a signed note")
	}

	for l := range strings.Lines(answer) {
		if !strings.HasPrefix(l, "— "+w.Verifier.Name()+" ") || !strings.HasSuffix(l, "\n") {
			continue
		}
		n, err := note.Open([]byte(text+"\n\n"+l), note.VerifierList(w.Verifier))
		if err != nil {
			return "", 0, fmt.Errorf("its signature is not of this checkpoint: %w", err)
		}
		at, err := torchwood.CosignatureTimestamp(n.Sigs[0])
		return l, at, err
	}
	return "", 0, errors.New("its answer has no signature by its key")
}
