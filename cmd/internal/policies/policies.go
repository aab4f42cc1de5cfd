// Package policies asks the running server which policies an app has, and what they declare.
package policies

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"consentledger/api/imports"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// InForceUnless returns version or, if that is empty, the one of the app's first policy that
// is in force.
func InForceUnless(c *cobra.Command, app, version string) (string, error) {
	if version != "" {
		return version, nil
	}
	versions, err := Versions(c, app)
	if err != nil {
		return "", err
	}
	for _, v := range versions {
		if v.InForce {
			return v.Version, nil
		}
	}
	return "", exit.NotFound(fmt.Errorf("no version of a policy of this app is in force; see consentledger policy " +
		"list"))
}

// A Version is a version as policy list has it.
type Version struct {
	Policy  string `json:"policy"`
	Version string `json:"version"`
	InForce bool   `json:"in_force"`
}

// Versions asks which versions there are.
func Versions(c *cobra.Command, app string) ([]Version, error) {
	answer, err := remote.Get(c, remote.App(app)+"/policies")
	if err != nil {
		return nil, err
	}
	var known struct {
		Policies []Version `json:"policies"`
	}
	err = json.Unmarshal(answer, &known)
	return known.Policies, err
}

// Declared asks what the app's policies declare.
func Declared(c *cobra.Command, app string) (*imports.Known, error) {
	path := remote.App(app) + "/policies"
	answer, err := remote.Get(c, path)
	if err != nil {
		return nil, err
	}

	var list struct {
		Policies []struct {
			Version   string    `json:"version"`
			Effective time.Time `json:"effective"`
		} `json:"policies"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, err
	}

	if len(list.Policies) == 0 {
		return nil, exit.NotFound(errors.New("the app has no policy yet: publish the version that people agreed to; " +
			"see consentledger policy new"))
	}

	known := &imports.Known{First: list.Policies[0].Effective, Now: time.Now()}
	for _, p := range list.Policies {
		if p.Effective.Before(known.First) {
			known.First = p.Effective
		}
		known.Versions = append(known.Versions, p.Version)
		whole, err := remote.Get(c, path+"/"+url.PathEscape(p.Version))
		if err != nil {
			return nil, err
		}
		var version struct {
			Document struct {
				Purposes, Acts []struct {
					ID string `json:"id"`
				}
			} `json:"document"`
		}
		if err := json.Unmarshal(whole, &version); err != nil {
			return nil, err
		}
		for _, x := range version.Document.Purposes {
			known.Purposes = append(known.Purposes, x.ID)
		}
		for _, x := range version.Document.Acts {
			known.Acts = append(known.Acts, x.ID)
		}
	}

	known.Purposes = slices.Compact(slices.Sorted(slices.Values(known.Purposes)))
	known.Acts = slices.Compact(slices.Sorted(slices.Values(known.Acts)))
	return known, nil
}
