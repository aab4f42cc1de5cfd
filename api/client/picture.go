package client

import "context"

// A Picture is one of a screen that the ledger keeps.
type Picture struct {
	Hash     string   `json:"hash"` // sha256:..., as a surface names it
	Type     string   `json:"type"` // its content type
	Width    int      `json:"width"`
	Height   int      `json:"height"`
	URL      string   `json:"url"`      // its path at the ledger
	Surfaces []string `json:"surfaces"` // those of the app that name it
}

// KeepPicture gives the ledger a picture of a screen, PNG, JPEG or WebP, whose hash a
// published surface names as a screenshot; what none names is refused. It is for whoever builds the
// app and publishes its surfaces: the key is of a role that may publish. It asks once. To send
// the same picture again changes nothing. Over NATS a picture is no larger than a message may be,
// often a MiB; a larger one, of up to 4 MiB, goes over [HTTP].
func (c *Client) KeepPicture(ctx context.Context, picture []byte) (Picture, error) {
	var p Picture
	err := c.once(ctx, request{verb: pictureVerb, body: picture}, &p)
	return p, err
}
