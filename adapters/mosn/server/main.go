// Program server is MOSN with what HTTP and Proxy-Wasm need, for the adapter: the stock main function has the same stages
// and imports many more protocols.
//
// It differs from the stock server in what it reports, never in what it does: its log is a JSON object a line ([logger]), a
// line says which plugin it comes from ([engine]), and routes can name the client's port ([clientPort]).
//
//	server start --config FILE --plugin NAME...
//
// Each --plugin registers an engine of that name, for the plugin of that name.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/urfave/cli"
	"mosn.io/mosn/pkg/log"
	"mosn.io/mosn/pkg/mosn"
	"mosn.io/mosn/pkg/stagemanager"
	"mosn.io/mosn/pkg/types"
	"mosn.io/mosn/pkg/wasm"
	"mosn.io/pkg/variable"

	_ "mosn.io/mosn/pkg/filter/network/connectionmanager"
	_ "mosn.io/mosn/pkg/filter/network/proxy"
	_ "mosn.io/mosn/pkg/filter/stream/proxywasm"
	_ "mosn.io/mosn/pkg/network"
	_ "mosn.io/mosn/pkg/protocol"
	_ "mosn.io/mosn/pkg/router"
	_ "mosn.io/mosn/pkg/stream/http"
	_ "mosn.io/mosn/pkg/stream/http2"
	_ "mosn.io/mosn/pkg/wasm/abi/proxywasm010"
	_ "mosn.io/mosn/pkg/wasm/abi/proxywasm020"
)

// clientPort is the name of a variable, which the adapter's configuration uses: the port of the client of a request.
const clientPort = "client_port"

func main() {
	app := cli.NewApp()
	app.Commands = []cli.Command{{
		Name:   "start",
		Flags:  []cli.Flag{cli.StringFlag{Name: "config"}, cli.StringSliceFlag{Name: "plugin"}},
		Action: start,
	}}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "failed to start:", err)
		os.Exit(1)
	}
}

func start(arguments *cli.Context) error {
	// Plugins are loaded before MOSN sets up the log that its configuration names.
	log.DefaultCreateErrorLoggerFunc = newLogger
	if err := log.InitDefaultLogger("stderr", log.INFO); err != nil {
		return err
	}
	if err := variable.Register(variable.NewStringVariable(clientPort, nil, portOfClient, nil, 0)); err != nil {
		return err
	}
	for _, plugin := range arguments.StringSlice("plugin") {
		wasm.RegisterWasmEngine(plugin, newEngine(plugin))
	}
	stages := stagemanager.InitStageManager(arguments, arguments.String("config"), mosn.NewMosn())
	stages.AppendInitStage(mosn.DefaultInitStage)
	stages.AppendPreStartStage(mosn.DefaultPreStartStage)
	stages.AppendStartStage(mosn.DefaultStartStage)
	defer reportPanic()
	stages.RunAll()
	return nil
}

// reportPanic reports that MOSN panics before it serves, because of the plugin that it dealt with last. The panic continues.
func reportPanic() {
	if failure := recover(); failure != nil {
		line{Plugin: running.latest, Failed: fmt.Sprintf("MOSN does not start: panic: %v", failure)}.write()
		panic(failure)
	}
}

// portOfClient returns the value of the variable clientPort.
func portOfClient(ctx context.Context, _ *variable.IndexedValue, _ interface{}) (string, error) {
	connection, err := variable.Get(ctx, types.VariableConnection)
	if err != nil {
		return "", err
	}
	if connection, ok := connection.(interface{ RemoteAddr() net.Addr }); ok {
		if address, ok := connection.RemoteAddr().(*net.TCPAddr); ok {
			return strconv.Itoa(address.Port), nil
		}
	}
	return "", errors.New("the client has no port")
}
