package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

const (
	// deadline is how long a scenario may take.
	deadline = 10 * time.Second
	// maxHowBytes limits what is reported of a crash.
	maxHowBytes = 240
)

// children starts processes, each for one scenario, and one ahead of time.
type children struct {
	next *process
}

// process is a child that waits for its scenario, or runs it.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     io.Reader
	errors  bytes.Buffer
}

func start() (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.Command(program, "child")}
	p.command.Stderr = &p.errors
	if p.in, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = p.command.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("failed to start a child: %w", err)
	}
	return p, nil
}

// run gives a scenario to a child, and returns what was seen. A child that crashes or hangs is the host that died.
func (c *children) run(j job) ([]json.RawMessage, error) {
	p, err := c.take()
	if err != nil {
		return nil, err
	}
	hung := time.AfterFunc(deadline, func() { _ = p.command.Process.Kill() })
	// A child that has crashed reads no more.
	go func() { _ = json.NewEncoder(p.in).Encode(j) }()
	events, done, err := read(p.out)
	timely := hung.Stop()
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
	switch {
	case err != nil || done:
		return events, err
	case !timely:
		return append(events, died(fmt.Sprintf("no answer within %v", deadline))), nil
	}
	return append(events, died(p.how())), nil
}

// take returns the child that waits, and has the next one start.
func (c *children) take() (p *process, err error) {
	if p = c.next; p == nil {
		if p, err = start(); err != nil {
			return nil, err
		}
	}
	c.next, err = start()
	return p, err
}

// stop ends the child that waits.
func (c *children) stop() {
	if c.next != nil {
		_ = c.next.command.Process.Kill()
		_ = c.next.command.Wait()
	}
}

// read reads what a child writes until its scenario is done, or it writes no more.
func read(out io.Reader) (events []json.RawMessage, done bool, err error) {
	events = []json.RawMessage{}
	for lines := json.NewDecoder(out); ; {
		var m message
		if err := lines.Decode(&m); err != nil {
			return events, false, nil
		}
		switch {
		case m.Failed != "":
			return events, false, errors.New(m.Failed)
		case m.Done:
			return events, true, nil
		}
		events = append(events, m.Event)
	}
}

// crash is the line by which the runtime of Go says why a process ends.
var crash = regexp.MustCompile(`(?m)^(fatal error|panic|SIG[A-Z]+): .*$`)

// how says why a child ended: what the runtime wrote, or the last line of log.Fatal.
func (p *process) how() string {
	text := strings.TrimSpace(p.errors.String())
	if line := crash.FindString(text); line != "" {
		return line
	}
	return short(fmt.Sprintf("%v: %s", p.command.ProcessState, text[strings.LastIndex(text, "\n")+1:]))
}

// short cuts a text where it is too long for a report.
func short(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxHowBytes)], "?")
}

func died(how string) json.RawMessage {
	return encode(object{"event": "died", "how": how})
}

// encode encodes what always can be encoded.
func encode(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}
