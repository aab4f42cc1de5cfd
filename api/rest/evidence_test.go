package rest

import (
	"context"
	"os"
	"strings"
	"testing"

	"consentledger/api/audit"
	"consentledger/domain/ident"
	"consentledger/projections/transparency"

	"github.com/go-json-experiment/json"
)

// A cabinet remembers what evidence it was asked for. It has a receipt and no
// bundle: that log is not there, or not yet.
type cabinet struct {
	receipts []audit.ReceiptRequest
	exports  []audit.ExportRequest
	err      error
}

func (c *cabinet) Export(_ context.Context, _ ident.AppName, ask audit.ExportRequest, _ string) (*os.File, error) {
	c.exports = append(c.exports, ask)
	return nil, c.err
}

func (c *cabinet) Receipt(_ context.Context, _ ident.AppName, ask audit.ReceiptRequest, _ string) ([]byte, error) {
	c.receipts = append(c.receipts, ask)
	return []byte(`{"version":"a receipt"}`), nil
}

// TestEvidenceOverHTTP: what is asked reaches whoever makes it, and everything
// else is refused as a problem (server.ask wants problem+json) before that.
func TestEvidenceOverHTTP(t *testing.T) {
	h := open(t)
	c := &cabinet{err: transparency.ErrNotThere}
	h.conf.Evidence = c
	h.h = Handler(h.conf)
	const receipts, export = "/v1/apps/demo/receipts", "/v1/apps/demo/export"
	for _, path := range []string{receipts, export} {
		h.want(415, "the body is application/json", "POST", path, `{}`, "Content-Type: text/plain")
		h.want(415, "the body is application/json", "POST", path, `{}`, "Content-Type: ;")
		h.want(400, "", "POST", path, `{"nosuch":1}`)
		h.want(400, "", "POST", path, `{`)
		h.want(400, "", "POST", strings.Replace(path, "demo", "No%20App", 1), `{}`)
		h.want(405, "", "GET", path, "")
	}
	if len(c.receipts)+len(c.exports) != 0 {
		t.Errorf("what was refused was asked for: %+v", c)
	}
	h.want(200, `"a receipt"`, "POST", receipts, `{"event":"x","cosigned":true}`)
	h.want(404, transparency.ErrNotThere.Error(), "POST", export, `{"lang":"zh","cosigned":true}`)
	c.err = transparency.ErrNotReady
	if code, body, header := h.ask("POST", export, `{}`); code != 503 || header.Get("Retry-After") != "1" || header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a log that is not ready: %d %v %s", code, header, body)
	}
	if len(c.receipts) != 1 || c.receipts[0].Event != "x" || !c.receipts[0].Cosigned || len(c.exports) != 2 || c.exports[0].Lang != "zh" || !c.exports[0].Cosigned || c.exports[1].Cosigned {
		t.Errorf("asked for: %+v", c)
	}
}

// TestEvidenceIsDescribed: both routes, with what may be asked.
func TestEvidenceIsDescribed(t *testing.T) {
	h := open(t)
	h.conf.Evidence = new(cabinet)
	h.h = Handler(h.conf)
	_, text := h.do("GET", "/openapi.json", "")
	var spec struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name   string `json:"name"`
				Schema struct {
					Type    string `json:"type"`
					Minimum *int64 `json:"minimum"`
				} `json:"schema"`
			} `json:"parameters"`
			RequestBody struct {
				Content map[string]any `json:"content"`
			} `json:"requestBody"`
			Responses map[string]struct {
				Content map[string]any `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]string{"/v1/apps/{app}/export": "application/zip", "/v1/apps/{app}/receipts": "application/json"} {
		op, ok := spec.Paths[path]["post"]
		if _, body := op.RequestBody.Content["application/json"]; !ok || !body {
			t.Errorf("%s: what is asked is not described: %+v", path, op)
		}
		if _, answer := op.Responses["200"].Content[kind]; !answer {
			t.Errorf("%s: it does not say that it answers with %s", path, kind)
		}
	}

	found := false
	for _, p := range spec.Paths["/log/{app}/proof"]["get"].Parameters {
		if p.Name == "index" {
			found = p.Schema.Type == "integer" && p.Schema.Minimum != nil && *p.Schema.Minimum == 0
		}
	}
	if !found {
		t.Error("the index of a proof is not described as a number from 0")
	}
}
