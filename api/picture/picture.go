// Package picture says whether bytes are a picture of a screen as the ledger keeps it.
//
// It reads what a picture says of itself, its format and its size, by Go's own packages, and
// none of its pixels: a small file may hold a very large picture. So what is kept is shown by a
// browser as a picture or not at all, and is never taken for a page.
//
// The bytes are kept as they come, since a surface names their hash. What a program wrote
// beside the pixels (EXIF: a place, a device, an author) stays in them, and is told to whoever may
// see the picture. The ledger neither reads it nor takes it out: it says nothing of the
// persons who consent, and whoever makes the picture leaves it out.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/webp"
)

// MaxSize is how many bytes a picture may have.
const MaxSize = 4 << 20

// maxSide and maxPixels bound what a browser is made to show.
const (
	maxSide   = 16384
	maxPixels = 64 << 20
)

// Types are the content types of pictures, by the names that package image has for formats.
var Types = map[string]string{"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}

// A Picture is what one says of itself.
type Picture struct {
	Type          string // its content type
	Width, Height int    // in pixels
}

var errNone = errors.New("this is no picture: a picture of a screen is a PNG, a JPEG or a WebP")

// Of returns what bytes are as a picture. The error says what would be right.
func Of(b []byte) (Picture, error) {
	if len(b) > MaxSize {
		return Picture{}, fmt.Errorf("a picture of a screen has at most %d bytes", MaxSize)
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(b))
	kind, known := Types[format]
	if err != nil || !known || config.Width <= 0 || config.Height <= 0 {
		return Picture{}, errNone
	}
	if config.Width > maxSide || config.Height > maxSide || config.Width*config.Height > maxPixels {
		return Picture{}, fmt.Errorf("a picture of a screen has at most %d pixels, and %d on a side", maxPixels, maxSide)
	}
	return Picture{kind, config.Width, config.Height}, nil
}
