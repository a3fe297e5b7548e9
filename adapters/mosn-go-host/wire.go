package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// object is a JSON object, such as an event.
type object map[string]any

// data is bytes of a scenario: in JSON a string if they are UTF-8, else {"hex": "00ff"}.
type data []byte

func (d data) MarshalJSON() ([]byte, error) {
	if utf8.Valid(d) {
		return json.Marshal(string(d))
	}
	return json.Marshal(object{"hex": hex.EncodeToString(d)})
}

func (d *data) UnmarshalJSON(text []byte) error {
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		*d = data(plain)
		return nil
	}
	var coded struct{ Hex string }
	if err := json.Unmarshal(text, &coded); err != nil {
		return fmt.Errorf("failed to read bytes, which are a string or {\"hex\": …}: %w", err)
	}
	bytes, err := hex.DecodeString(coded.Hex)
	*d = bytes
	return err
}

// request is a message of the harness. Go reads bytes from base64 on its own.
type request struct {
	Type, ID string
	ABI      string
	Wasm     []byte
	Offset   int
	Address  uint64
	Hazard   bool
	Plugins  []pluginRequest
	Steps    []step
}

// pluginRequest is a plugin of a chain: how it is set up, and its module by name.
type pluginRequest struct {
	Settings struct {
		Name            string
		VMID            data `json:"vm_id"`
		VMConfiguration data `json:"vm_configuration"`
		Configuration   data
		Background      bool
	}
	Guest struct {
		Module string
		Shape  struct {
			ID     string
			Script []byte
		}
	}
}

// module is the name of the module or shape.
func (p pluginRequest) module() string { return p.Guest.Module + p.Guest.Shape.ID }

// step is what the world does.
type step struct {
	Do           string
	Stream, Call int
	Headers      fields
	Trailers     fields
	Body, Data   data
	EndOfStream  bool `json:"end_of_stream"`
	Milliseconds int64
}
