package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// A Sealer keeps the text of a file of keys under a key that lies elsewhere, as in a KMS.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Unseal(sealed []byte) ([]byte, error)
}

// A file of keys that is sealed:
//
//	consentledger keys sealed v1
//	<base64 of what the sealer made of the lines of an open file>
//	sum <first 16 hex digits of the SHA-256 of the lines above>
const sealedHeader = "consentledger keys sealed v1\n"

// CreateSealedKeys is [CreateFileKeys] of a file that by seals.
func CreateSealedKeys(path string, by Sealer) (*FileKeys, error) {
	return createKeys(&FileKeys{path: path, mode: 0o600, sealer: by})
}

// OpenSealedKeys is [OpenFileKeys], or [OpenSecretKeys] if its group may read the file, of
// one that by has sealed. Nil opens a file that is not sealed, and nothing else does.
func OpenSealedKeys(path string, group bool, by Sealer) (*FileKeys, error) {
	k := &FileKeys{path: path, mode: 0o600, sealer: by}
	if group {
		k.mode = 0o640
	}
	if err := k.read(); err != nil {
		return nil, err
	}
	return k, nil
}

// GivenKeys returns the keys that a text holds, as a file of keys does: of an environment, say,
// that has no files. In base64, which is one line, it is taken as well. Nobody changes them
// here. No error holds a byte of the text.
func GivenKeys(text string, by Sealer) (*FileKeys, error) {
	k := &FileKeys{sealer: by}
	whole := strings.TrimSpace(text) + "\n"
	if plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil {
		whole = string(plain)
	}
	if err := k.take([]byte(whole)); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return k, nil
}

// Given reports whether the keys were given as a text.
func (k *FileKeys) Given() bool { return k.path == "" }

// SealWith puts a sealed file in the place of an open one, durably. That the open file's
// bytes leave the disk is up to the file system: begin a new epoch afterwards.
func (k *FileKeys) SealWith(by Sealer) error {
	return k.change(func() error {
		if k.sealer != nil {
			return errors.New("keys: the file is sealed already")
		}
		k.sealer = by
		err := k.replace(k.epochs)
		if err != nil {
			k.sealer = nil
		}
		return err
	})
}

// text returns what the file holds if these are its epochs. What a sealer gives back has
// to be what it was given, or the keys are lost: that is seen before anything is written.
func (k *FileKeys) text(epochs []epoch) ([]byte, error) {
	plain := formatKeys(epochs)
	if k.sealer == nil {
		return plain, nil
	}

	sealed, err := k.sealer.Seal(plain)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	if bytes.Contains(sealed, plain) {
		return nil, errors.New("sealing: what was sealed holds the keys in clear")
	}

	back, err := k.sealer.Unseal(sealed)
	if err != nil {
		return nil, fmt.Errorf("unsealing what was just sealed: %w", err)
	}
	if !bytes.Equal(back, plain) {
		return nil, errors.New("sealing: what comes back is not what was sealed")
	}
	return formatSealed(sealed), nil
}

// plain returns the lines of an open file, of what the file holds.
func (k *FileKeys) plain(text []byte) ([]byte, error) {
	is := strings.HasPrefix(string(text), sealedHeader)
	switch {
	case is && k.sealer == nil:
		return nil, errors.New("it is sealed: name the command that unseals it, with --kek-command or " +
			"CONSENTLEDGER_KEK_COMMAND")
	case !is && k.sealer != nil:
		return nil, errors.New("it is not sealed, and a command was named that seals it: seal it once, with " +
			"consentledger keys seal")
	case !is:
		return text, nil
	}

	sealed, err := parseSealed(text)
	if err != nil {
		return nil, err
	}

	plain, err := k.sealer.Unseal(sealed)
	if err != nil {
		return nil, fmt.Errorf("unsealing: %w", err)
	}
	return plain, nil
}

func formatSealed(sealed []byte) []byte {
	var b bytes.Buffer
	b.WriteString(sealedHeader)
	b.WriteString(base64.StdEncoding.EncodeToString(sealed) + "\n")
	sum := sha256.Sum256(b.Bytes())
	fmt.Fprintf(&b, "sum %x\n", sum[:8])
	return b.Bytes()
}

// parseSealed reads what formatSealed writes, and nothing else.
func parseSealed(text []byte) ([]byte, error) {
	lines, ok := strings.CutPrefix(string(text), sealedHeader)
	line, _, _ := strings.Cut(lines, "\n")
	sealed, err := base64.StdEncoding.DecodeString(line)
	if !ok || err != nil || !bytes.Equal(formatSealed(sealed), text) {
		return nil, errors.New("the sum at the end is missing or wrong: the file is not whole")
	}
	return sealed, nil
}

// SumOfCopy returns the sum of a copy of a file of keys, see [FileKeys.Sum], if the copy is
// whole. A sealed copy is held to its sum, and is not unsealed.
func SumOfCopy(text []byte) (string, error) {
	var err error
	if strings.HasPrefix(string(text), sealedHeader) {
		_, err = parseSealed(text)
	} else {
		_, err = parseKeys(text)
	}
	if err != nil {
		return "", err
	}
	return sumLine(text), nil
}

// sumLine returns the last line.
func sumLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
