package domain

import "fmt"

// An App is a program that handles personal data and made promises about it.
type App struct {
	Name         AppName
	Handler      string // who answers for it; public
	Environment  Environment
	Jurisdiction string // as in CN
	TimeZone     string // as in Asia/Shanghai
	Locales      []string
}

// An Environment tells tests from the real thing.
type Environment uint8

const (
	Test Environment = iota + 1
	Production
)

func (e Environment) String() string { return [...]string{"", "test", "production"}[e] }

// ParseEnvironment reads what [Environment.String] writes.
func ParseEnvironment(s string) (Environment, error) {
	switch s {
	case "test":
		return Test, nil
	case "production":
		return Production, nil
	}
	return 0, parseError(`an environment is "test" or "production"`)
}

// A Service is what is known about an app. The zero Service is not registered.
type Service struct{ App App }

// Registered reports whether the app may record.
func (s Service) Registered() bool { return s.App.Name != "" }

// Evolve returns s as it is after f.
func (s Service) Evolve(f Fact) Service {
	switch e := f.Event.(type) {
	case AppRegistered:
		return Service(e)
	}
	panic(fmt.Sprintf("domain: event %T has no case in Service.Evolve", f.Event))
}

// Decide answers cmd with the facts it makes true.
func (s Service) Decide(cmd Command) ([]Event, error) {
	switch cmd := cmd.(type) {
	case RegisterApp:
		if cmd.App.Environment == 0 || cmd.App.Jurisdiction == "" || cmd.App.TimeZone == "" || len(cmd.App.Locales) == 0 {
			return nil, refuse(AppIncomplete, "an app needs an environment, a jurisdiction, a time zone and at least one locale")
		}
		return []Event{AppRegistered(cmd)}, nil
	}
	return nil, refuse(WrongStream, "a service takes app.registered only")
}
