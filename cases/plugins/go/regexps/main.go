// A large plugin that does much when it is configured, as a firewall with many rules does: it compiles 5,000 regular
// expressions, or as many as its configuration says, and then answers 403 to each request whose path one of them matches.
//
// It needs no SDK: the ABI is a handful of functions.
package main

import (
	"fmt"
	"regexp"
	"strconv"
	"unsafe"
)

// Names of the ABI's numbers.
const (
	logInfo             = 2
	actionContinue      = 0
	actionPause         = 1
	statusOK            = 0
	mapRequestHeaders   = 0
	pluginConfiguration = 7
)

var (
	compiled []*regexp.Regexp
	// What the host was given room for, by address, until it is used.
	allocated = map[uintptr][]byte{}
)

// It never runs: the module is a library.
func main() {}

//go:wasmexport proxy_abi_version_0_2_1
func version() {}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) uint32 {
	room := make([]byte, max(size, 1))
	address := uintptr(unsafe.Pointer(&room[0]))
	allocated[address] = room
	return uint32(address)
}

//go:wasmexport proxy_on_context_create
func create(context, parent uint32) {}

//go:wasmexport proxy_on_vm_start
func start(context, size uint32) uint32 { return 1 }

//go:wasmexport proxy_on_configure
func configure(context, size uint32) uint32 {
	rules := 5000
	if text := configuration(size); text != "" {
		var err error
		if rules, err = strconv.Atoi(text); err != nil {
			info(fmt.Sprintf("the configuration is not a number of rules: %v", err))
			return 0
		}
	}
	for number := range rules {
		rule, err := regexp.Compile(pattern(number))
		if err != nil {
			info(fmt.Sprintf("rule %d: %v", number, err))
			return 0
		}
		compiled = append(compiled, rule)
	}
	info(fmt.Sprintf("%d rules", len(compiled)))
	return 1
}

//go:wasmexport proxy_on_request_headers
func requestHeaders(context, count, end uint32) uint32 {
	path := header(":path")
	for number, rule := range compiled {
		if rule.MatchString(path) {
			info(fmt.Sprintf("%q matches rule %d", path, number))
			deny()
			return actionPause
		}
	}
	return actionContinue
}

// Forms of rules; the two words and the number make each another one.
var forms = []string{
	`(?i)\b%s[\s/*]+%s\b.{0,20}%d`,
	`(?:^|/)%s(?:\.[a-z]{1,4})?/+%s-%d$`,
	`[?&]%s=(?:[^&]*[^\w&])?%s(?:=|%%3[dD])%d`,
	`^/(?:[a-z]+/){1,3}%s[_-]?%s\d*x%d(?:\?|$)`,
	`(?i)<%s[^>]+on%s\s*=\s*["']?%d`,
}

var words = []string{"order", "basket", "invoice", "parcel", "receipt", "voucher", "address", "account", "supplier", "stock"}

func pattern(number int) string {
	form := forms[number%len(forms)]
	first := words[number/len(forms)%len(words)]
	second := words[number/len(forms)/len(words)%len(words)]
	return fmt.Sprintf(form, first, second, number)
}

func info(message string) {
	data, size := text(message)
	proxyLog(logInfo, data, size)
}

func configuration(size uint32) string {
	var data, length uint32
	status := proxyGetBufferBytes(pluginConfiguration, 0, size, unsafe.Pointer(&data), unsafe.Pointer(&length))
	return taken(status, data, length)
}

func header(name string) string {
	key, size := text(name)
	var data, length uint32
	status := proxyGetHeaderMapValue(mapRequestHeaders, key, size, unsafe.Pointer(&data), unsafe.Pointer(&length))
	return taken(status, data, length)
}

// What the host has written into the room that it was given.
func taken(status, data, length uint32) string {
	room, known := allocated[uintptr(data)]
	if status != statusOK || !known {
		return ""
	}
	delete(allocated, uintptr(data))
	return string(room[:length])
}

func deny() {
	details, size := text("")
	body, length := text("denied\n")
	proxySendLocalResponse(403, details, size, body, length, nil, 0, ^uint32(0))
}

func text(value string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(value)), uint32(len(value))
}

//go:wasmimport env proxy_log
func proxyLog(level uint32, data unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(kind, start, size uint32, data, length unsafe.Pointer) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeaderMapValue(kind uint32, key unsafe.Pointer, keySize uint32, value, valueSize unsafe.Pointer) uint32

//go:wasmimport env proxy_send_local_response
func proxySendLocalResponse(
	code uint32, details unsafe.Pointer, detailsSize uint32, body unsafe.Pointer, bodySize uint32,
	headers unsafe.Pointer, headersSize uint32, grpcStatus uint32,
) uint32
