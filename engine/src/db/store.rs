//! The store, in whichever layout, behind one name.

use alloc::sync::Arc;

use crate::error::{Error, Invalid, Result};
use crate::journal::{Entrance, Journal, OpRef};
use crate::options::{Durability, Layout};
use crate::{hash, ordered};

/// The store, in whichever layout.
#[derive(Clone)]
pub(super) enum Store {
    Hash(Arc<hash::Store>),
    Ordered(Arc<ordered::Store>),
}

/// Does the same with the store of either layout.
macro_rules! either {
    ($store:expr, $inner:ident => $do:expr) => {
        match $store {
            Store::Hash($inner) => $do,
            Store::Ordered($inner) => $do,
        }
    };
}

pub(super) use either;

impl Store {
    pub(super) fn enter(entrance: Entrance) -> Result<Self> {
        let Entrance { journal, loaded } = entrance;
        let wanted = journal.options.layout;
        let Some(loaded) = loaded else {
            return match wanted {
                Some(Layout::Hash) => hash::Store::create(journal).map(Self::Hash),
                Some(Layout::Ordered) | None => ordered::Store::create(journal).map(Self::Ordered),
            };
        };
        let found = match loaded.state.layout {
            hash::LAYOUT => Layout::Hash,
            ordered::LAYOUT => Layout::Ordered,
            _ => return Err(Error::Unsupported("the layout of this store")),
        };
        if wanted.is_some_and(|wanted| wanted != found) {
            return Err(Error::Invalid(Invalid::Layout));
        }
        match found {
            Layout::Hash => hash::Store::open(journal, loaded).map(Self::Hash),
            Layout::Ordered => ordered::Store::open(journal, loaded).map(Self::Ordered),
        }
    }

    pub(super) fn journal(&self) -> &Journal {
        either!(self, store => &store.journal)
    }

    pub(super) fn write(&self, ops: &[OpRef<'_>], durability: Durability) -> Result<u64> {
        either!(self, store => store.write(ops, durability))
    }
}
