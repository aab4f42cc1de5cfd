package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"time"

	"consentledger/api/audit"
	"consentledger/api/audit/bundle"
	"consentledger/cmd/internal/buildinfo"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
)

// exporter makes bundles of what this server keeps.
func (h *Server) exporter() *audit.Exporter {
	return &audit.Exporter{
		Logs:      h.Logs,
		Witnesses: h.witnesses,
		Ledger:    h.Dir.Ledger,
		Proofs:    h.Dir.Ledger,
		Blobs:     h.Dir.Blobs,
		Now:       time.Now,
		Rejected:  h.waiting,
		Software:  bundle.Software{Version: buildinfo.Version, SHA256: ownHash()},
		Stand: func(ctx context.Context, stream ident.StreamID) (domain.Subject, deadline.Instant, error) {
			s, err := h.Dir.Ledger.Whole(ctx, stream)
			return s, h.Dir.Ledger.Now(), err
		},
	}
}

// waiting counts the rejected messages of an app that nobody has seen yet.
func (h *Server) waiting(ctx context.Context, app ident.AppName) (n int, known bool) {
	if !h.Conn.IsConnected() {
		return 0, false
	}

	const page = 1000
	for after := uint64(0); ; {
		list, err := h.rejected.List(ctx, after, page)
		if err != nil {
			h.Log.Warn("the rejected messages could not be counted", "error", err)
			return 0, false
		}
		for _, m := range list {
			if after = m.Seq; m.App == string(app) && !m.Seen {
				n++
			}
		}
		if len(list) < page {
			return n, true
		}
	}
}

// ownHash returns the SHA-256 of this program's file; empty if it cannot be
// read.
func ownHash() string {
	name, err := os.Executable()
	if err != nil {
		return ""
	}

	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
