module pwconform/mosn-go-host

go 1.21

require (
	github.com/tetratelabs/wazero v1.2.1
	mosn.io/proxy-wasm-go-host v0.2.1-0.20230626122511-25a9e133320e
)

require (
	github.com/c2h5oh/datasize v0.0.0-20171227191756-4eba002a5eae // indirect
	github.com/golang/protobuf v1.5.0 // indirect
	github.com/hashicorp/go-syslog v1.0.0 // indirect
	github.com/rcrowley/go-metrics v0.0.0-20200313005456-10cdbea86bc0 // indirect
	golang.org/x/crypto v0.0.0-20201002170205-7f63de1d35b0 // indirect
	golang.org/x/sys v0.0.0-20210809222454-d867a43fc93e // indirect
	google.golang.org/protobuf v1.27.1 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.0.0 // indirect
	mosn.io/api v1.2.1 // indirect
	mosn.io/mosn v1.2.0 // indirect
	mosn.io/pkg v1.2.1 // indirect
)

exclude vimagination.zapto.org/byteio v0.0.0-20200222190125-d27cba0f0b10

exclude vimagination.zapto.org/memio v0.0.0-20200222190306-588ebc67b97d
