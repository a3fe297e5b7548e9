package main

import (
	"encoding/json"
	"sort"
	"strings"

	"mosn.io/proxy-wasm-go-host/proxywasm/common"
)

// fields are headers or trailers in their order: the map that the library asks its embedder for. Names are compared
// without regard to case, as HTTP does.
type fields struct{ list []field }

type field struct{ name, value string }

func (f *fields) Get(name string) (string, bool) {
	for _, one := range f.list {
		if strings.EqualFold(one.name, name) {
			return one.value, true
		}
	}
	return "", false
}

// Set puts the value in the place of the first field of the name, and removes the others.
func (f *fields) Set(name, value string) {
	kept, done := f.list[:0:0], false
	for _, one := range f.list {
		switch {
		case !strings.EqualFold(one.name, name):
			kept = append(kept, one)
		case !done:
			kept, done = append(kept, field{one.name, value}), true
		}
	}
	f.list = kept
	if !done {
		f.Add(name, value)
	}
}

func (f *fields) Add(name, value string) { f.list = append(f.list, field{name, value}) }

func (f *fields) Del(name string) {
	kept := f.list[:0:0]
	for _, one := range f.list {
		if !strings.EqualFold(one.name, name) {
			kept = append(kept, one)
		}
	}
	f.list = kept
}

func (f *fields) Range(visit func(name, value string) bool) {
	for _, one := range f.list {
		if !visit(one.name, one.value) {
			return
		}
	}
}

func (f *fields) Clone() common.HeaderMap { return f.clone() }

func (f *fields) ByteSize() (size uint64) {
	for _, one := range f.list {
		size += uint64(len(one.name) + len(one.value))
	}
	return size
}

func (f *fields) clone() *fields { return &fields{append([]field{}, f.list...)} }

// has says whether there is such a field with a value.
func (f *fields) has(name string) bool {
	value, ok := f.Get(name)
	return ok && value != ""
}

// sorted copies a map of the library, which has no order: pseudo headers first, then by name.
func sorted(from common.HeaderMap) *fields {
	copied := &fields{}
	from.Range(func(name, value string) bool {
		copied.Add(name, value)
		return true
	})
	sort.Slice(copied.list, func(i, j int) bool { return copied.list[i].name < copied.list[j].name })
	return copied
}

func (f *fields) UnmarshalJSON(text []byte) error {
	var pairs [][2]data
	if err := json.Unmarshal(text, &pairs); err != nil {
		return err
	}
	for _, pair := range pairs {
		f.Add(string(pair[0]), string(pair[1]))
	}
	return nil
}

func (f fields) MarshalJSON() ([]byte, error) {
	pairs := [][2]data{}
	for _, one := range f.list {
		pairs = append(pairs, [2]data{data(one.name), data(one.value)})
	}
	return json.Marshal(pairs)
}
