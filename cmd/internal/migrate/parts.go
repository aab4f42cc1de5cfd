package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"consentledger/cmd/internal/server"
	"consentledger/eventstore/atomicfile"
)

// A rowKind is what becomes of rows whose keys begin alike, when a ledger is migrated.
// The first that fits counts.
type rowKind struct {
	Prefix string
	does   string // copied, made anew, or another form
	what   string
	why    string // it is made anew, or by whom
}

// rowKinds are all rows that there are. What is derived from the log, and knows
// positions of the store that it was read from, is left out: it is made anew. Keys of
// all kinds go along: who was let in before is let in after, and who was not is not.
var rowKinds = []rowKind{
	{Prefix: "v/s", does: madeAnew, what: "what histories fold to", why: "derived from the log; the first who are asked for are read from it"},
	{Prefix: "v/", does: copiedPart, what: "the vault"},
	{Prefix: "b/", does: copiedPart, what: "texts"},
	{Prefix: "l/", does: copiedPart, what: "which logs were begun"},
	{Prefix: "n/", does: copiedPart, what: "how far the stream of incoming events was seen"},
	{Prefix: "outbox/", does: copiedPart, what: "since when consents are told, and how far"},
	{Prefix: "webhook/", does: copiedPart, what: "webhooks, their secrets, and how far they are"},
	{Prefix: "k/", does: madeAnew, what: "marks in the log", why: "derived from the log, and names positions"},
	{Prefix: "access-pseudonyms/", does: copiedPart, what: "the secret that pseudonyms of principals are made with"},
	{Prefix: "access-tokens/", does: otherForm, what: "the key of subject tokens"},
	{Prefix: "access-trail/", does: copiedPart, what: "who signed in and out, and who was refused"},
	{Prefix: "access-sessions/", does: madeAnew, what: "who is signed in by a browser", why: "a session is of the server that it began at: they sign in again"},
	{Prefix: "access-roles/", does: copiedPart, what: "which roles of files are recorded"},
	{Prefix: "access-seen/", does: copiedPart, what: "in which groups people of an identity provider were last"},
	{Prefix: "erasing/", does: copiedPart, what: "erasures of many, and how far they are"},
	{Prefix: "lapse/", does: madeAnew, what: "when consents end by themselves", why: "derived from the log, and names positions"},
	{Prefix: "access/", does: copiedPart, what: "API keys, and which of them were revoked"},
	{Prefix: "r/", does: madeAnew, what: "the follow-up process's checkpoint", why: "derived from the log, and names positions"},
	{Prefix: "elsewhere/", does: madeAnew, what: "the newest record of the event store", why: "it is of the store before; that of the target is remembered"},

	// Of several processes: see carry.go.
	{Prefix: "t/", does: otherForm, what: "signing keys, signed checkpoints, what witnesses signed"},
	{Prefix: "f/", does: otherForm, what: "the key of the calendar feeds"},
	{Prefix: "keys/", does: madeAnew, what: "which processes have which keys of the vault", why: "each process says it when it starts"},
	{Prefix: "m/", does: madeAnew, what: "that the vault is being moved", why: "it is of this migration"},
}

// KindOfRow returns the kind of a row, by its key.
func KindOfRow(key []byte) (rowKind, error) {
	for _, k := range rowKinds {
		if bytes.HasPrefix(key, []byte(k.Prefix)) {
			return k, nil
		}
	}
	return rowKind{}, fmt.Errorf("the source holds rows that begin with %.2q, which this program does not know: "+
		"use the version that wrote them", key)
}

// isCopied reports whether a row is copied. Those of unknown kinds were refused before.
//
// Who moves between a directory and a shared vault mostly moves to other NATS servers, too.
// If nothing waits in the old ones, how far their stream was seen stays behind: another
// stream would be taken for that one, after a loss.
func (m *Migration) isCopied(key []byte) bool {
	k, err := KindOfRow(key)
	switch {
	case err != nil || k.does != copiedPart:
		return false
	case k.Prefix == "n/":
		moves := (m.FromAt.Vault == "") != (m.ToAt.Vault == "")
		return !moves || m.found.waiting > 0 || !bytes.Equal(key, []byte("n/m"))
	}
	return true
}

// copyFiles copies files durably: each is in its place as a whole or not at all. What
// else the target has in these places, from a copy that was cut off, goes first.
func copyFiles(from, to string, files []server.FileCopy) error {
	there, _, err := server.FilesOf(to)
	if err != nil {
		return err
	}
	for _, f := range there {
		if err := os.Remove(filepath.Join(to, f.Path)); err != nil {
			return err
		}
	}

	dirs := map[string]bool{}
	for _, f := range files {
		if server.IsSigned(f.Path) {
			continue // written with what was verified
		}
		target := filepath.Join(to, f.Path)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		if err := copyDurably(filepath.Join(from, f.Path), target); err != nil {
			return err
		}
		for dir := filepath.Dir(f.Path); !dirs[dir]; dir = filepath.Dir(dir) {
			dirs[dir] = true
		}
	}
	for dir := range dirs {
		if err := atomicfile.SyncDir(filepath.Join(to, dir)); err != nil {
			return err
		}
	}
	return nil
}

func copyDurably(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
