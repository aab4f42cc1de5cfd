package files

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"consentledger/cmd/internal/exit"
)

// HashOf returns a hash as it is, or that of a file.
func HashOf(text string) (string, error) {
	if strings.HasPrefix(text, "sha256:") {
		return text, nil
	}
	f, info, err := OpenOwn(text)
	if err != nil {
		return "", exit.Usage(fmt.Errorf("want a file, or a hash as sha256: and 64 hex digits: %w", err))
	}
	defer f.Close()
	if info.Size() > MaxEvidence {
		return "", TooLarge(text, MaxEvidence)
	}

	// As many bytes as it had: it may grow meanwhile.
	h := sha256.New()
	if _, err := io.CopyN(h, f, info.Size()); err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
