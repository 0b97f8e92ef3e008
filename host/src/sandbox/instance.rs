//! One running instance: its state, its calls, and what its end means.

use std::sync::Arc;

use keelstone::Clock;
use keelstone::vfs::{Access, Vfs};
use wasmtime::{Store, Trap};

use super::STORE;
use super::convert;
use super::limits::{Limiter, Limits};
use crate::engine::{Error, Result};
use crate::wasi_fs::bindings::exports::keelstone::store::store as wit;
use crate::wasi_fs::bindings::{Component, ComponentPre};
use crate::wasi_fs::{Stop, Stopped, WasiFs};

/// What belongs to one instance.
pub(crate) struct State {
    pub(super) fs: WasiFs,
    limiter: Limiter,
}

/// A running instance.
pub(super) struct Instance {
    pub(super) store: Store<State>,
    guest: Component,
    limits: Limits,
    /// Why it can be called no more.
    ended: Option<Error>,
}

impl Instance {
    /// A new instance that sees the root of `vfs`, and nothing else.
    pub(super) fn new(
        pre: &ComponentPre<State>,
        limits: Limits,
        vfs: Arc<dyn Vfs>,
        access: Access,
        clock: Arc<dyn Clock>,
        stop: Option<Stop>,
    ) -> Result<Self> {
        let mut fs = WasiFs::new(clock);
        fs.preopen(STORE, vfs, access);
        fs.set_stop(stop);
        let mut store = Store::new(pre.engine(), State { fs, limiter: Limiter::new(limits) });
        store.limiter(|state| &mut state.limiter);
        store.set_fuel(limits.fuel).map_err(failed)?;
        let guest = match pre.instantiate(&mut store) {
            Ok(guest) => guest,
            Err(error) => return Err(why(&error, &store.data().limiter)),
        };
        Ok(Self { store, guest, limits, ended: None })
    }

    /// Fuel for each call from now on.
    pub(super) const fn set_fuel(&mut self, fuel: u64) {
        self.limits.fuel = fuel;
    }

    /// Calls the component. After a trap it is not called again, and every call gives that error.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(
            &mut Store<State>,
            &Component,
        ) -> wasmtime::Result<core::result::Result<T, wit::Error>>,
    ) -> Result<T> {
        self.enter(call)?.map_err(|error| Error::Store(convert::error(&error)))
    }

    /// As [`call`](Self::call), for calls that cannot fail.
    pub(super) fn enter<T>(
        &mut self,
        call: impl FnOnce(&mut Store<State>, &Component) -> wasmtime::Result<T>,
    ) -> Result<T> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        self.store.set_fuel(self.limits.fuel).map_err(failed)?;
        call(&mut self.store, &self.guest).map_err(|error| {
            let why = why(&error, &self.store.data().limiter);
            self.ended = Some(why.clone());
            why
        })
    }

    /// Lets a resource of the component go, if the component still runs.
    pub(super) fn drop_resource(&mut self, resource: wasmtime::component::ResourceAny) {
        let _ended = self.enter(|store, _| resource.resource_drop(store));
    }
}

/// An error of wasmtime that is not the component's.
#[expect(clippy::needless_pass_by_value, reason = "the argument of map_err")]
pub(super) fn failed(error: wasmtime::Error) -> Error {
    Error::Sandbox(format!("the sandbox does not start: {error:#}"))
}

/// Why an instance ended.
fn why(error: &wasmtime::Error, limiter: &Limiter) -> Error {
    if let Some(stopped) = error.downcast_ref::<Stopped>() {
        return Error::Sandbox(format!("the sandbox ended: {stopped}"));
    }
    let text = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => "the call needs more fuel than its limit".to_owned(),
        Some(_) if limiter.refused => "it needs more memory than its limit".to_owned(),
        Some(trap) => format!("trap: {trap}"),
        None => format!("{error:#}"),
    };
    Error::Sandbox(format!("the sandbox ended: {text}"))
}
