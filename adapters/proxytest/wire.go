package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// object is a JSON object, such as an event.
type object map[string]any

// data are bytes of the protocol: a string if they are UTF-8, else an object with hex digits.
type data string

func (d data) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(d)) {
		return json.Marshal(string(d))
	}
	return json.Marshal(object{"hex": hex.EncodeToString([]byte(d))})
}

func (d *data) UnmarshalJSON(text []byte) error {
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		*d = data(plain)
		return nil
	}
	var coded struct{ Hex string }
	if err := json.Unmarshal(text, &coded); err != nil {
		return fmt.Errorf("neither a string nor hex digits: %s", text)
	}
	bytes, err := hex.DecodeString(coded.Hex)
	*d = data(bytes)
	return err
}

// fields are headers, trailers or other pairs, in their order.
type fields [][2]data

// pairs are the fields as the emulator has them.
func (f fields) pairs() [][2]string {
	pairs := make([][2]string, len(f))
	for i, field := range f {
		pairs[i] = [2]string{string(field[0]), string(field[1])}
	}
	return pairs
}

// fieldsOf copies pairs of the emulator. Their bytes may lie in the memory of the plugin, which goes on to change.
func fieldsOf(pairs [][2]string) fields {
	fields := make(fields, len(pairs))
	for i, pair := range pairs {
		fields[i] = [2]data{data([]byte(pair[0])), data([]byte(pair[1]))}
	}
	return fields
}

// settings are what a plugin is set up with, as far as the emulator knows such things.
type settings struct {
	Name            string `json:"name"`
	VMID            string `json:"vm_id"`
	VMConfiguration data   `json:"vm_configuration"`
	Configuration   data   `json:"configuration"`
}

// step is something that the world does.
type step struct {
	Do           string `json:"do"`
	Stream       int    `json:"stream"`
	Call         int    `json:"call"`
	Headers      fields `json:"headers"`
	Body         data   `json:"body"`
	Trailers     fields `json:"trailers"`
	EndOfStream  bool   `json:"end_of_stream"`
	Milliseconds uint64 `json:"milliseconds"`
}

// job is what a child gets: one scenario.
type job struct {
	Settings settings `json:"settings"`
	Wasm     []byte   `json:"wasm"`
	Steps    []step   `json:"steps"`
}

// message is a line of a child: an event, or the end of its scenario.
type message struct {
	Event json.RawMessage `json:"event,omitempty"`
	Done  bool            `json:"done,omitempty"`
	// Failed is what is wrong with the adapter.
	Failed string `json:"failed,omitempty"`
}
