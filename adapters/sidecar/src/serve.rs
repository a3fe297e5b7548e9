//! Threads, listeners, and the end.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pw_host::{Engine, EngineConfig, Metering, Module, ModuleError};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};

use crate::admin::{self, Question};
use crate::config::{Compiler, Config};
use crate::exchange;
use crate::front::Front;
use crate::log::{self, Line};
use crate::worker::Worker;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// The time of a tick; a call into a plugin may last ten.
const TICK: Duration = Duration::from_millis(100);

/// What each worker gets.
#[derive(Clone)]
struct Shared {
    config: Arc<Config>,
    /// The module of each plugin, or why there is none.
    modules: Arc<Vec<Result<Module, ModuleError>>>,
    workers: Arc<Vec<mpsc::UnboundedSender<Question>>>,
    ends: watch::Receiver<bool>,
}

/// Serves as a file of configuration says, until the process gets SIGTERM or SIGINT.
///
/// # Errors
///
/// As [`run`], and if the file cannot be read.
pub fn run_file(file: &Path) -> Result<(), String> {
    run(Config::read(file)?)
}

/// Serves until the process gets SIGTERM or SIGINT: then no more connections are accepted, requests have some time to finish,
/// and the plugins end.
///
/// # Errors
///
/// A plugin is not started, or a port is not free.
pub fn run(config: Config) -> Result<(), String> {
    let engine = engine(config.compiler)?;
    let modules = modules(&engine, &config)?;
    thread::spawn(move || {
        loop {
            thread::sleep(TICK);
            engine.tick();
        }
    });
    let (end, ends) = watch::channel(false);
    let (workers, questions): (Vec<_>, Vec<_>) = (0..config.workers).map(|_| mpsc::unbounded_channel()).unzip();
    let shared = Shared { config: Arc::new(config), modules: Arc::new(modules), workers: Arc::new(workers), ends };
    // The first thing that is reported ends all: a signal, or that a worker cannot start.
    let (report, mut reports) = mpsc::channel::<Result<(), String>>(1);
    let workers: Vec<_> = (0..)
        .zip(questions)
        .map(|(number, questions)| {
            let (shared, report) = (shared.clone(), report.clone());
            thread::spawn(move || {
                if let Err(error) = work(number, &shared, questions) {
                    // If there was a report before, this one is not needed.
                    let _ = report.try_send(Err(error));
                }
            })
        })
        .collect();
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let failed = |error| format!("failed to wait for signals: {error}");
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        tokio::select! {
            Some(outcome) = reports.recv() => outcome,
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    });
    // Workers that have failed do not listen.
    let _ = end.send(true);
    workers.into_iter().for_each(|worker| worker.join().unwrap_or_default());
    outcome
}

fn engine(compiler: Compiler) -> Result<Engine, String> {
    let compiler = match compiler {
        Compiler::Cranelift => pw_host::Compiler::Cranelift,
        Compiler::Winch => pw_host::Compiler::Winch,
    };
    let config = EngineConfig { metering: Metering::Epochs, compiler, parallel: true, ..EngineConfig::default() };
    Engine::with_config(&config).map_err(|error| format!("failed to set up wasmtime: {error:#}"))
}

/// Compiles the module of each plugin; equal ones once.
fn modules(engine: &Engine, config: &Config) -> Result<Vec<Result<Module, ModuleError>>, String> {
    let mut compiled: HashMap<Vec<u8>, Result<Module, ModuleError>> = HashMap::new();
    let modules = config.plugins.iter().map(|plugin| {
        let wasm = std::fs::read(&plugin.file);
        let wasm = wasm.map_err(|error| format!("failed to read {}: {error}", plugin.file.display()))?;
        let compile = |wasm: &Vec<u8>| Module::new(engine, wasm);
        Ok(compiled.entry(wasm).or_insert_with_key(compile).clone())
    });
    modules.collect()
}

fn runtime() -> Result<Runtime, String> {
    Builder::new_current_thread().enable_all().build().map_err(|error| format!("failed to start a runtime: {error}"))
}

/// One worker: its plugins, and then its listeners.
fn work(number: usize, shared: &Shared, questions: mpsc::UnboundedReceiver<Question>) -> Result<(), String> {
    let config = &shared.config;
    let (sender, jobs) = mpsc::unbounded_channel();
    let names = config.upstreams.keys().cloned().collect();
    let worker = Rc::new(Worker::new(names, config.verbose, config.log, sender));
    for (plugin, module) in config.plugins.iter().zip(shared.modules.iter()) {
        // A plugin that is on no stream is needed once.
        if plugin.background && number > 0 {
            continue;
        }
        let started = module
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|module| worker.start(module, plugin.config()?, !plugin.background));
        if let Err(reason) = started {
            log::write(config.log, &plugin.name, Line::Refused(&reason));
            return Err(format!("plugin `{}` was not started", plugin.name));
        }
    }
    // Tasks end before what they run on.
    let runtime = runtime()?;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        spawn_local(exchange::run(worker.clone(), config.clone(), jobs));
        spawn_local(admin::answer(worker.clone(), questions));
        let time = worker.clone();
        spawn_local(async move { time.keep_time().await });
        let admin = config.admin.filter(|_| number == 0).map(listen).transpose()?;
        let listener = listen(config.listen)?;
        if let Some(admin) = admin {
            spawn_local(serve_admin(admin, shared.workers.clone()));
        }
        serve(listener, worker.clone(), shared).await;
        worker.end();
        Ok(())
    })
}

/// Listens on an address, side by side with the other workers.
fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let listener = socket.and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    });
    listener.map_err(|error| format!("failed to listen on {address}: {error}"))
}

/// Serves clients until the sidecar is to end, and the requests that it has then as long as they may last.
async fn serve(listener: TcpListener, worker: Rc<Worker>, shared: &Shared) {
    let config = &shared.config;
    let front = Rc::new(Front {
        worker,
        upstream: config.upstreams[&config.route].address,
        frame_bytes: config.frame_bytes,
        connections: Cell::new(0),
    });
    let mut ends = shared.ends.clone();
    // Each connection holds a sender, so that the channel is closed after the last one.
    let (open, mut all) = mpsc::channel::<()>(1);
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ends.wait_for(|ends| *ends) => break,
        };
        match socket {
            Ok((socket, _)) => {
                let (connection, open) = (front.clone().serve(socket, shared.ends.clone()), open.clone());
                spawn_local(async move {
                    connection.await;
                    drop(open);
                });
            }
            // The process has no file descriptor left: wait until connections close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    drop((listener, open));
    // Those that take longer are reset.
    let _ = tokio::time::timeout(Duration::from_secs(config.drain_seconds), all.recv()).await;
}

async fn serve_admin(listener: TcpListener, workers: Arc<Vec<mpsc::UnboundedSender<Question>>>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(spawn_local(admin::serve(socket, workers.clone()))),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
