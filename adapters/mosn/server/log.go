package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unicode/utf8"

	"mosn.io/mosn/pkg/log"
	mosnlog "mosn.io/pkg/log"
)

// line is a line of the log. Its fields are what the adapter reads.
type line struct {
	// Plugin is the name of the plugin that runs, if one does.
	Plugin string `json:"plugin,omitempty"`
	// Level is set if the line was logged. If Guest is set, too, it was the plugin that logged it.
	Level   string `json:"level,omitempty"`
	Message any    `json:"message,omitempty"`
	Guest   bool   `json:"guest,omitempty"`
	// Failed says why the plugin's module was not loaded.
	Failed string `json:"failed,omitempty"`
	// Fault says how a call into the plugin has failed.
	Fault string `json:"fault,omitempty"`
}

// write writes the line at once. Each is one call to the kernel, so that lines do not mix.
func (l line) write() {
	text, err := json.Marshal(l)
	if err != nil {
		text = []byte(fmt.Sprintf("failed to write a line: %v", err))
	}
	os.Stderr.Write(append(text, '\n'))
}

// logger is MOSN's log: what MOSN logs at level INFO or above, and all that plugins log.
type logger struct {
	disabled bool
}

func newLogger(string, log.Level) (mosnlog.ErrorLogger, error) {
	return &logger{}, nil
}

// log writes a line as MOSN's own logger forms it: even if there are no arguments, the text is a format.
func (l *logger) log(level, format string, arguments []interface{}) {
	guest := isGuest()
	if l.disabled || (!guest && (level == "DEBUG" || level == "TRACE")) {
		return
	}
	line{Plugin: running.plugin(), Level: level, Message: text(fmt.Sprintf(format, arguments...)), Guest: guest}.write()
}

// isGuest says whether a log function was called for a plugin: that is so in the method Log of the handlers of proxy_log.
func isGuest() bool {
	// This function, logger.log, and the log function are passed over.
	caller, _, _, ok := runtime.Caller(3)
	return ok && strings.HasSuffix(runtime.FuncForPC(caller).Name(), ".(*DefaultImportsHandler).Log")
}

// text is a string, or an object with hex digits if that is not UTF-8.
func text(message string) any {
	if utf8.ValidString(message) {
		return message
	}
	return map[string]string{"hex": hex.EncodeToString([]byte(message))}
}

func (l *logger) Tracef(format string, arguments ...interface{}) { l.log("TRACE", format, arguments) }
func (l *logger) Debugf(format string, arguments ...interface{}) { l.log("DEBUG", format, arguments) }
func (l *logger) Infof(format string, arguments ...interface{})  { l.log("INFO", format, arguments) }
func (l *logger) Warnf(format string, arguments ...interface{})  { l.log("WARN", format, arguments) }
func (l *logger) Errorf(format string, arguments ...interface{}) { l.log("ERROR", format, arguments) }

func (l *logger) Alertf(alert, format string, arguments ...interface{}) {
	l.log("ERROR", "["+alert+"] "+format, arguments)
}

func (l *logger) Fatalf(format string, arguments ...interface{}) {
	l.log("FATAL", format, arguments)
	os.Exit(1)
}

// GetLogLevel is asked before MOSN forms a line that only a debugging operator needs.
func (l *logger) GetLogLevel() mosnlog.Level { return log.INFO }
func (l *logger) SetLogLevel(mosnlog.Level)  {}
func (l *logger) Toggle(disable bool)        { l.disabled = disable }
func (l *logger) Disable() bool              { return l.disabled }
