package picture

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
)

// tinyWebP is a WebP of one pixel.
const tinyWebP = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="

func encoded(t *testing.T, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wide returns a PNG that says that it is that large.
func wide(small []byte, width, height uint32) []byte {
	b := bytes.Clone(small)
	binary.BigEndian.PutUint32(b[16:], width)
	binary.BigEndian.PutUint32(b[20:], height)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestAPictureIsOneByItsBytes(t *testing.T) {
	asPNG := encoded(t, func(b *bytes.Buffer, m image.Image) error { return png.Encode(b, m) })
	asJPEG := encoded(t, func(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) })
	asGIF := encoded(t, func(b *bytes.Buffer, m image.Image) error { return gif.Encode(b, m, nil) })
	asWebP, err := base64.StdEncoding.DecodeString(tinyWebP)
	if err != nil {
		t.Fatal(err)
	}

	for name, tt := range map[string]struct {
		b    []byte
		want Picture
	}{
		"PNG": {asPNG, Picture{"image/png", 3, 2}}, "JPEG": {asJPEG, Picture{"image/jpeg", 3, 2}},
		"WebP": {asWebP, Picture{"image/webp", 1, 1}},
	} {
		if got, err := Of(tt.b); got != tt.want || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, tt := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing":    {nil, "no picture"},
		"text":       {[]byte("We keep it."), "no picture"},
		"a page":     {[]byte("<!doctype html><script>"), "no picture"},
		"SVG":        {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "no picture"},
		"GIF":        {asGIF, "no picture"},
		"a torn one": {asPNG[:20], "no picture"},
		"too wide":   {wide(asPNG, 20000, 1), "on a side"},
		"too large":  {wide(asPNG, 16000, 16000), "pixels"},
		"too long":   {append(bytes.Clone(asPNG), make([]byte, MaxSize)...), "bytes"},
	} {
		if got, err := Of(tt.b); err == nil || !strings.Contains(err.Error(), tt.want) || got != (Picture{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
