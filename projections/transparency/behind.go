package transparency

import (
	"context"

	"consentledger/eventstore"
)

// Behind returns an [*OlderError] if a store that ends at head holds less than was
// signed; nil if it does not. It changes nothing.
func (k *Keep) Behind(ctx context.Context, head eventstore.Position) error {
	apps, err := k.known()
	if err != nil {
		return err
	}

	for _, app := range apps {
		s, _, err := k.kept(ctx, app)
		if err != nil {
			return err
		}
		if s != nil && s.position > head {
			return &OlderError{App: app, Head: head, Signed: s.position, Size: s.Size}
		}
	}
	return nil
}
