//! Keeps what the engine tells until the host asks for it.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use keelstone::{Event, Observer};
use keelstone_vfs::lock::Mutex;

use crate::bindings::exports::keelstone::store::store::Event as HostEvent;

/// Older events give way to newer ones beyond this many.
const KEPT_MAX: usize = 1000;

/// Events that nobody has asked for yet.
#[derive(Default)]
pub(crate) struct Events(Mutex<VecDeque<Event>>);

impl Events {
    /// Gives the events away, oldest first.
    pub(crate) fn take(&self) -> Vec<HostEvent> {
        let events = core::mem::take(&mut *self.0.lock());
        events.into_iter().map(told).collect()
    }
}

impl Observer for Events {
    fn event(&self, event: &Event) {
        let mut events = self.0.lock();
        if events.len() >= KEPT_MAX {
            events.pop_front();
        }
        // Why: where memory is short an event may be lost, but not the store.
        if events.try_reserve(1).is_ok() {
            events.push_back(*event);
        }
    }
}

fn told(event: Event) -> HostEvent {
    let text = format!("{event:?}");
    let name = text.split([' ', '(']).next().unwrap_or_default();
    HostEvent { name: String::from(name), text }
}
