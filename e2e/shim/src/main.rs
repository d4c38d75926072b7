//! A containerd shim for the bench: the published runwasi library crate does the
//! container work (namespaces, root file system, cgroup), this file only runs
//! what it is handed, with wasmtime:
//!   - a core module            as a WASI p1 command, or any export after '#'
//!   - a wasi:http/proxy        as a server on 0.0.0.0:$PORT, 8080 if unset
//!   - any other component      as a WASI p2 command
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use containerd_shim_wasm::sandbox::Sandbox;
use containerd_shim_wasm::sandbox::context::{Entrypoint, RuntimeContext, WasmBinaryType};
use containerd_shim_wasm::shim::{Cli, Shim, Version, version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, server::conn::http1};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use wasmtime::component::{Component, Linker as ComponentLinker, ResourceTable};
use wasmtime::{Config, Engine, Linker, Module, Store};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::preview1::{self, WasiP1Ctx};
use wasmtime_wasi::{DirPerms, FilePerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::bindings::ProxyPre;
use wasmtime_wasi_http::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::body::HyperOutgoingBody;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::types::{HostFutureIncomingResponse, OutgoingRequestConfig};
use wasmtime_wasi_http::{HttpResult, WasiHttpCtx, WasiHttpView};

struct Wasmtime;

impl Shim for Wasmtime {
    fn name() -> &'static str {
        "wasmtime"
    }
    fn version() -> Version {
        version!()
    }
    type Sandbox = Runner;
}

struct Runner(Engine);

impl Default for Runner {
    fn default() -> Self {
        let mut config = Config::new();
        config.async_support(true);
        Self(Engine::new(&config).expect("wasmtime engine"))
    }
}

impl Sandbox for Runner {
    // Called inside the container, as its process 1.
    async fn run_wasi(&self, ctx: &impl RuntimeContext) -> Result<i32> {
        let Entrypoint { source, func, .. } = ctx.entrypoint();
        let code = source.as_bytes()?;
        let outcome = match WasmBinaryType::from_bytes(&code) {
            Some(WasmBinaryType::Module) => self.module(&code, &func, ctx).await,
            Some(WasmBinaryType::Component) => self.component(&code, ctx).await,
            None => bail!("neither a WebAssembly module nor a component"),
        };
        // proc_exit and wasi:cli/exit arrive as an error that carries the code
        outcome.or_else(|e| e.downcast::<I32Exit>().map(|exit| exit.0))
    }
}

impl Runner {
    async fn module(&self, code: &[u8], func: &str, ctx: &impl RuntimeContext) -> Result<i32> {
        let module = Module::new(&self.0, code)?;
        let mut linker = Linker::new(&self.0);
        preview1::add_to_linker_async(&mut linker, |c: &mut WasiP1Ctx| c)?;
        let wasi = wasi(ctx.args(), ctx.envs())?.build_p1();
        let mut store = Store::new(&self.0, wasi);
        let instance = linker.instantiate_async(&mut store, &module).await?;
        let f = instance.get_func(&mut store, func).with_context(|| format!("no export {func}"))?;
        f.call_async(&mut store, &[], &mut []).await?;
        Ok(0)
    }

    async fn component(&self, code: &[u8], ctx: &impl RuntimeContext) -> Result<i32> {
        let component = Component::new(&self.0, code)?;
        let mut linker = ComponentLinker::<State>::new(&self.0);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::add_only_http_to_linker_async(&mut linker)?;
        let pre = linker.instantiate_pre(&component)?;
        if let Ok(proxy) = ProxyPre::new(pre.clone()) {
            return serve(proxy, ctx.args().to_vec(), ctx.envs().to_vec()).await;
        }
        let mut store = Store::new(&self.0, State::new(ctx.args(), ctx.envs())?);
        let command = CommandPre::new(pre)?.instantiate_async(&mut store).await?;
        match command.wasi_cli_run().call_run(&mut store).await? {
            Ok(()) => Ok(0),
            Err(()) => Ok(1),
        }
    }
}

/// What the guest gets: arguments, environment, stdio and the container's file system.
fn wasi(args: &[String], envs: &[String]) -> Result<WasiCtxBuilder> {
    let mut b = WasiCtx::builder();
    b.args(args).inherit_stdio().inherit_network();
    for e in envs {
        let (k, v) = e.split_once('=').unwrap_or((e, ""));
        b.env(k, v);
    }
    b.preopened_dir("/", "/", DirPerms::all(), FilePerms::all())?;
    Ok(b)
}

struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
}

impl State {
    fn new(args: &[String], envs: &[String]) -> Result<Self> {
        Ok(Self { wasi: wasi(args, envs)?.build(), http: WasiHttpCtx::new(), table: ResourceTable::new() })
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn ctx(&mut self) -> &mut WasiHttpCtx {
        &mut self.http
    }
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
    fn send_request(
        &mut self,
        _: Request<HyperOutgoingBody>,
        _: OutgoingRequestConfig,
    ) -> HttpResult<HostFutureIncomingResponse> {
        Err(ErrorCode::HttpRequestDenied.into()) // the bench's components have nowhere to call
    }
}

struct Server {
    proxy: ProxyPre<State>,
    args: Vec<String>,
    envs: Vec<String>,
}

async fn serve(proxy: ProxyPre<State>, args: Vec<String>, envs: Vec<String>) -> Result<i32> {
    let port = match envs.iter().find_map(|e| e.strip_prefix("PORT=")) {
        Some(p) => p.parse::<u16>().with_context(|| format!("PORT={p}"))?,
        None => 8080,
    };
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    eprintln!("listening on port {port}");
    let server = Arc::new(Server { proxy, args, envs });
    let mut term = signal(SignalKind::terminate())?;
    loop {
        let client = tokio::select! {
            _ = term.recv() => return Ok(0),
            accepted = listener.accept() => accepted?.0,
        };
        let server = server.clone();
        tokio::spawn(async move {
            let handle = service_fn(|req| server.handle(req));
            if let Err(e) = http1::Builder::new().serve_connection(TokioIo::new(client), handle).await {
                eprintln!("connection: {e}");
            }
        });
    }
}

impl Server {
    /// One fresh instance for each request, as the proxy world wants it.
    async fn handle(&self, req: Request<Incoming>) -> Result<Response<HyperOutgoingBody>> {
        let mut store = Store::new(self.proxy.engine(), State::new(&self.args, &self.envs)?);
        let (tx, rx) = tokio::sync::oneshot::channel();
        let req = store.data_mut().new_incoming_request(Scheme::Http, req)?;
        let out = store.data_mut().new_response_outparam(tx)?;
        let proxy = self.proxy.clone();
        // The guest may go on writing the body after it has set the response.
        let guest = tokio::spawn(async move {
            let guest = proxy.instantiate_async(&mut store).await?;
            guest.wasi_http_incoming_handler().call_handle(&mut store, req, out).await
        });
        match rx.await {
            Ok(response) => Ok(response?),
            Err(_) => {
                guest.await??;
                bail!("the guest set no response")
            }
        }
    }
}

fn main() {
    Wasmtime::run(None);
}
