package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"mime"
	"net/http"

	"consentledger/api/picture"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/eventstore/blobs"

	"github.com/danielgtaylor/huma/v2"
)

// A Picture is a picture of a screen that is kept.
type Picture struct {
	Hash   string `json:"hash" doc:"sha256:..., as a surface names it"`
	Type   string `json:"type" enum:"image/png,image/jpeg,image/webp"`
	Width  int    `json:"width" doc:"in pixels"`
	Height int    `json:"height" doc:"in pixels"`
	Bytes  int    `json:"bytes"`
	URL    string `json:"url" doc:"where it is"`
}

// A PictureAnswer is a picture, and where it is shown.
type PictureAnswer struct {
	Picture
	Surfaces []string `json:"surfaces" doc:"the surfaces of the app that name it"`
}

type pictureIn struct {
	App     string `path:"app"`
	RawBody []byte
	kind    string // of the body, as its sender says
}

// Resolve keeps the type of the body.
func (in *pictureIn) Resolve(ctx huma.Context) []error {
	in.kind, _, _ = mime.ParseMediaType(ctx.Header("Content-Type"))
	return nil
}

// pictureRoute takes pictures of screens. A surface names a picture by its hash, so that
// it may come later, or never: the hash alone is the older, weaker proof. Nothing is recorded,
// since the surface says all that there is to say. What no surface names is not kept: nobody
// can fill the ledger with files.
func (s *server) pictureRoute(api huma.API) {
	op := huma.Operation{
		OperationID: "keep-picture", Method: http.MethodPost, Path: "/v1/apps/{app}/pictures",
		Summary: "Keep the picture of a screen whose hash a published surface names",
		Description: "A PNG, JPEG or WebP of up to 4 MiB. It is kept as it comes, with what a program wrote into it " +
			"beside the pixels (EXIF), and everybody who may see texts may see it. Sent again, it is the same one.",
		MaxBodyBytes: picture.MaxSize, SkipValidateParams: true, SkipValidateBody: true,
	}
	huma.Register(api, op, func(ctx context.Context, in *pictureIn) (*out[PictureAnswer], error) {
		o, err := s.keepPicture(ctx, in)
		return o, s.fail(ctx, op.OperationID, err)
	})

	doc := api.OpenAPI().Paths[op.Path].Post
	doc.RequestBody.Required = true
	doc.RequestBody.Content = map[string]*huma.MediaType{}
	for _, kind := range picture.Types {
		doc.RequestBody.Content[kind] = &huma.MediaType{Schema: aFile}
	}
}

func (s *server) keepPicture(ctx context.Context, in *pictureIn) (*out[PictureAnswer], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	b := bytes.Clone(in.RawBody) // Huma uses the bytes again
	p, err := picture.Of(b)
	if err != nil {
		return nil, bad(err.Error())
	}
	if p.Type != in.kind {
		return nil, bad("Content-Type says " + in.kind + ", and the picture is " + p.Type)
	}

	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}
	hash := content.Hash(sha256.Sum256(b))
	a := PictureAnswer{pictureOf(blobs.Hash(hash), p, len(b)), surfacesWith(ref, hash)}
	if len(a.Surfaces) == 0 {
		return nil, failure{plain(http.StatusConflict, "no surface of this app names "+a.Hash+
			": publish the surface with this hash as the screenshot of a locale first")}
	}
	if _, err := s.Blobs.Put(ctx, b); err != nil {
		return nil, err
	}
	return ok(a)
}

func pictureOf(hash blobs.Hash, p picture.Picture, size int) Picture {
	return Picture{Hash: hash.String(), Type: p.Type, Width: p.Width, Height: p.Height, Bytes: size,
		URL: "/v1/blobs/" + hash.String()}
}

// surfacesWith returns the ids of an app's surfaces that name a picture.
func surfacesWith(ref domain.Reference, hash content.Hash) []string {
	all := []string{}
	for _, p := range ref.Surfaces.All() {
		for _, l := range p.Surface.Locales {
			if l.Screenshot == hash {
				all = append(all, p.ID.String())
				break
			}
		}
	}
	return all
}

// kept returns the pictures of a surface that are kept, each once.
func (s *server) kept(ctx context.Context, p domain.SurfacePublished) (all []Picture, err error) {
	seen := map[content.Hash]bool{{}: true} // no hash: the surface says nothing of a picture
	for _, l := range p.Surface.Locales {
		if seen[l.Screenshot] {
			continue
		}
		seen[l.Screenshot] = true
		hash := blobs.Hash(l.Screenshot)
		b, has, err := s.Blobs.Get(ctx, hash)
		if err != nil {
			return nil, err
		}
		if is, err := picture.Of(b); has && err == nil {
			all = append(all, pictureOf(hash, is, len(b)))
		}
	}
	return all, nil
}
