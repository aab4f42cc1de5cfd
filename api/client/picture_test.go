package client

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"consentledger/domain/ident"
)

func TestAPictureIsKeptOnceASurfaceNamesIt(t *testing.T) {
	s := serve(t)
	c := s.open(nil)
	var shot bytes.Buffer
	if err := png.Encode(&shot, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	if p, err := c.KeepPicture(t.Context(), shot.Bytes()); p.Hash != "" || !isRefusal(err, http.StatusConflict) {
		t.Errorf("no surface names it: %+v, %v", p, err)
	}

	ref, err := s.ledger.App(t.Context(), ident.AppName("smartkey"))
	if err != nil {
		t.Fatal(err)
	}
	hash := fmt.Sprintf("sha256:%x", sha256.Sum256(shot.Bytes()))
	s.operate(http.MethodPost, "/v1/apps/smartkey/surfaces", fmt.Appendf(nil, `{"schema":"surface/1","build":"1.0",
		"screen":"welcome","policy":"privacy","version":%q,"approver":"counsel","signing":"sha256:%064d",
		"locales":[{"locale":"en","screenshot":%q,"strings":{"yes":"Yes","no":"No"}}],"controls":[
		{"id":"yes","label":"yes","act":"agree-popup","initial":"button"},{"id":"no","label":"no","initial":"button","refuses":true}]}`,
		ref.Policies.Versions()[0].Version, 1, hash))
	p, err := c.KeepPicture(t.Context(), shot.Bytes())
	if err != nil || p.Hash != hash || p.Type != "image/png" || p.Width != 3 || p.Height != 2 || len(p.Surfaces) != 1 {
		t.Errorf("%+v, %v", p, err)
	}

	if _, err := c.KeepPicture(t.Context(), []byte("<!doctype html>")); !isRefusal(err, http.StatusUnsupportedMediaType) {
		t.Errorf("what is no picture: %v", err)
	}

	overNATS := s.open(func(c *Config) { c.Transport = NATS(s.overNATS()) })
	if again, err := overNATS.KeepPicture(t.Context(), shot.Bytes()); err != nil || again.Hash != hash || again.Width != 3 {
		t.Errorf("over NATS: %+v, %v", again, err)
	}
	_, err = overNATS.KeepPicture(t.Context(), make([]byte, 1<<20+1))
	if want := "send it over HTTP: it has 1048577 bytes, and a message of this NATS server 1048576"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("one that is too large for a message: %v", err)
	}
	large := agree("account:large")
	large.Data = map[string]any{"act": strings.Repeat("x", 1<<20)}
	if _, err := overNATS.Record(t.Context(), large); !errors.Is(err, errTooLarge) {
		t.Errorf("an event that was never sent: %v", err)
	}
}

func isRefusal(err error, status int) bool {
	r, is := errors.AsType[*Refusal](err)
	return is && r.Status == status
}
