//! The store as a component inside wasmtime: it reaches one directory, has so much memory and so
//! much to do in one call, and nothing else.
//!
//! Called by the command line and by plugin hosts; calls the component through `bindings`, and gives
//! it files through `wasi_fs`. [`Sandbox`] is a component that is ready to run, [`SandboxDb`] a store
//! open in an instance of its own.
//! Promise: a trap, a limit or a stop is [`Error::Sandbox`], and the store on the disk is then as
//! after the end of a process; another instance recovers it. The native lock is taken before the
//! component starts. Never: does the component's work natively.

mod cache;
mod convert;
mod db;
mod instance;
mod limits;
mod packed;

use std::path::Path;
use std::sync::Arc;

use keelstone::vfs::{Access, Vfs};
use keelstone::{Clock, OpenMode, Options, RepairReport, VerifyReport};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

pub use self::db::SandboxDb;
use self::instance::{Instance, State};
pub use self::limits::Limits;
use crate::engine::{Error, Result};
use crate::wasi_fs::bindings::ComponentPre;
use crate::wasi_fs::{self, Stop};

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// The name under which the component finds its store.
const STORE: &str = "store";
/// The name under which it finds the place of a backup.
const DEST: &str = "dest";

/// A component that is ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    pre: ComponentPre<State>,
    limits: Limits,
    stop: Option<Stop>,
}

impl Sandbox {
    /// The component that was built with this program.
    ///
    /// Its machine code is kept in the user's cache directory; where that cannot be, it is made anew
    /// each time, which takes about a tenth of a second.
    ///
    /// # Errors
    /// `Sandbox` if the program was built without it.
    pub fn built_in() -> Result<Self> {
        let advice = "built without the component, run `cargo xtask component` and build again";
        let bytes = BUILT_IN.ok_or_else(|| Error::Sandbox(advice.into()))?;
        Self::new(bytes, cache::directory().as_deref())
    }

    /// The bytes of the component that was built with this program, for other hosts.
    #[must_use]
    pub fn built_in_bytes() -> Option<&'static [u8]> {
        BUILT_IN
    }

    /// Another component in the place of the built-in one; its machine code is kept in `cache`.
    ///
    /// # Errors
    /// `Sandbox` if it is no component, or one that does not fit `wit/`.
    pub fn new(component: &[u8], cache: Option<&Path>) -> Result<Self> {
        let engine = Engine::new(&config()).map_err(instance::failed)?;
        let component = cache::load(&engine, component, cache).map_err(instance::failed)?;
        Self::link(&engine, &component)
    }

    fn link(engine: &Engine, component: &Component) -> Result<Self> {
        let mut linker = Linker::new(engine);
        wasi_fs::add_to_linker(&mut linker, |state: &mut State| &mut state.fs)
            .map_err(instance::failed)?;
        let pre = linker.instantiate_pre(component).and_then(ComponentPre::new);
        let pre = pre.map_err(instance::failed)?;
        Ok(Self { pre, limits: Limits::default(), stop: None })
    }

    /// The same component with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same component, each instance of which traps at an operation of the host: for tests.
    #[must_use]
    pub fn stopping_at(mut self, stop: Stop) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Opens the store in the root of `vfs` inside a new instance, as [`Db::open`](keelstone::Db::open)
    /// does. The observer is not told; [`SandboxDb::events`] says what happened if there is one.
    ///
    /// # Errors
    /// As `Db::open`; `Sandbox`.
    pub fn open(&self, vfs: Arc<dyn Vfs>, options: &Options) -> Result<SandboxDb> {
        let lock = keelstone::lock(&*vfs, options.mode)?;
        // Why: what is opened for reading cannot be written, whatever the component tries.
        let reads = options.mode == OpenMode::ReadOnly;
        let access = if reads { Access::Read } else { Access::Write };
        let instance = self.instance(vfs, access, &options.clock)?;
        SandboxDb::open(instance, lock, options)
    }

    /// As [`keelstone::verify`].
    ///
    /// # Errors
    /// As `verify`; `Sandbox`.
    pub fn verify(&self, vfs: Arc<dyn Vfs>, clock: &Arc<dyn Clock>) -> Result<VerifyReport> {
        let _lock = keelstone::lock(&*vfs, OpenMode::ReadOnly)?;
        let report = self
            .instance(vfs, Access::Read, clock)?
            .call(|store, guest| guest.keelstone_store_store().call_verify(store, STORE))?;
        Ok(convert::verify_report(report))
    }

    /// As [`keelstone::repair`].
    ///
    /// # Errors
    /// As `repair`; `Sandbox`.
    pub fn repair(&self, vfs: Arc<dyn Vfs>, options: &Options) -> Result<RepairReport> {
        let _lock = keelstone::lock(&*vfs, OpenMode::Existing)?;
        let wanted = convert::options(options);
        let report = self
            .instance(vfs, Access::Write, &options.clock)?
            .call(|store, guest| guest.keelstone_store_store().call_repair(store, STORE, wanted))?;
        Ok(convert::repair_report(report))
    }

    /// As [`keelstone::dump`]; `out` gets page after page and says whether it wants more.
    ///
    /// # Errors
    /// As `dump`; `Sandbox`.
    pub fn dump(
        &self,
        vfs: Arc<dyn Vfs>,
        file: &str,
        out: &mut dyn FnMut(&str) -> bool,
    ) -> Result<()> {
        /// Text that one call brings.
        const PAGE_BYTES: u32 = 256 << 10;
        let clock: Arc<dyn Clock> = keelstone::ManualClock::new(0);
        let mut instance = self.instance(vfs, Access::Read, &clock)?;
        let dump = instance.call(|store, guest| {
            guest.keelstone_store_store().dump().call_open(store, STORE, file)
        })?;
        loop {
            let page = instance.call(|store, guest| {
                guest.keelstone_store_store().dump().call_next(store, dump, PAGE_BYTES)
            })?;
            if page.is_empty() || !out(&page) {
                return Ok(());
            }
        }
    }

    fn instance(
        &self,
        vfs: Arc<dyn Vfs>,
        access: Access,
        clock: &Arc<dyn Clock>,
    ) -> Result<Instance> {
        Instance::new(&self.pre, self.limits, vfs, access, Arc::clone(clock), self.stop)
    }
}

/// What every component is compiled and run with.
fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.consume_fuel(true);
    config.wasm_backtrace_max_frames(None);
    config
}
