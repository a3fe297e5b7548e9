package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// deadline is how long a scenario may take before the host counts as hung.
const deadline = 5 * time.Second

// maxScenarios is how many scenarios a child runs at most, since it frees nothing.
const maxScenarios = 50

// parent keeps modules, and runs scenarios in a child, which it starts again when it is spent.
type parent struct {
	kept  map[string]request
	child *child
}

// child is a process that runs scenarios.
type child struct {
	process *exec.Cmd
	in      io.WriteCloser
	send    *json.Encoder
	reports chan report
	has     map[string]bool
	// count is the number of scenarios that it has run.
	count int
	// spent says that the next scenario needs another process.
	spent bool
}

// report is what a child writes: events as they are seen, at last an answer.
type report struct {
	Event json.RawMessage `json:"event,omitempty"`
	Done  bool            `json:"done,omitempty"`
	// Failure is set where this program failed, and not the host.
	Failure string `json:"failure,omitempty"`
	// Spent says that the library's global state has been touched.
	Spent bool `json:"spent,omitempty"`
}

// answer answers a request of the harness.
func (p *parent) answer(r request) object {
	switch r.Type {
	case "start":
		return about
	case "shape", "module":
		p.kept[r.ID] = r
		return object{"type": "kept"}
	case "run":
		if p.child != nil && (p.child.spent || p.child.count == maxScenarios || r.Hazard) {
			p.end()
		}
		return p.run(r)
	case "more":
		if p.child == nil {
			return errored("there is no scenario that more could happen in")
		}
		return p.run(r)
	}
	return errored("this adapter does not know the request %q", r.Type)
}

// run runs a scenario, or the rest of one, in the child.
func (p *parent) run(r request) object {
	if p.child == nil {
		started, err := start()
		if err != nil {
			return errored("failed to start a child: %v", err)
		}
		p.child = started
	}
	child := p.child
	child.spent = child.spent || r.Hazard
	child.count++
	for _, plugin := range r.Plugins {
		name := plugin.module()
		module, ok := p.kept[name]
		if !ok {
			return errored("%s: the module %q was not sent before it was named", r.ID, name)
		}
		if !child.has[name] {
			child.has[name] = true
			child.write(module)
		}
	}
	child.write(r)
	return p.collect(r.ID)
}

// collect reads what the child reports, up to its answer, its end or the deadline.
func (p *parent) collect(id string) object {
	events, timeout := []any{}, time.After(deadline)
	died := func(how string) object {
		return object{"type": "ran", "events": append(events, object{"event": "died", "how": how})}
	}
	for {
		select {
		case report, open := <-p.child.reports:
			switch {
			case !open:
				return died(p.end())
			case report.Failure != "":
				return errored("%s: %s", id, report.Failure)
			case report.Done:
				p.child.spent = p.child.spent || report.Spent
				return object{"type": "ran", "events": events}
			}
			events = append(events, report.Event)
		case <-timeout:
			p.end()
			return died(fmt.Sprintf("no answer within %v", deadline))
		}
	}
}

// end ends the child, and says how it ended.
func (p *parent) end() string {
	child := p.child
	if child == nil {
		return ""
	}
	p.child = nil
	child.in.Close()
	// A child that has something to run does not see that.
	select {
	case <-drained(child.reports):
	case <-time.After(100 * time.Millisecond):
		child.process.Process.Kill()
	}
	child.process.Wait()
	return child.process.ProcessState.String()
}

// drained is closed when the child has closed its side.
func drained(reports chan report) chan struct{} {
	end := make(chan struct{})
	go func() {
		for range reports {
		}
		close(end)
	}()
	return end
}

func start() (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	process := exec.Command(program, workerArgument)
	// Whatever the library prints must not be among the answers.
	process.Stdout, process.Stderr, process.ExtraFiles = os.Stderr, os.Stderr, []*os.File{theirs}
	in, err := process.StdinPipe()
	if err == nil {
		err = process.Start()
	}
	if err != nil {
		out.Close()
		return nil, err
	}
	started := &child{process: process, in: in, send: json.NewEncoder(in), reports: make(chan report), has: map[string]bool{}}
	go func() {
		defer close(started.reports)
		defer out.Close()
		lines := json.NewDecoder(out)
		for {
			var line report
			if lines.Decode(&line) != nil {
				return
			}
			started.reports <- line
		}
	}()
	return started, nil
}

// write sends a request. If the child is gone, the end of its reports says so.
func (c *child) write(r request) {
	if err := c.send.Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, "failed to write to the child:", err)
	}
}
