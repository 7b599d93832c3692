//! The rules as they are now: a reload puts others in their place, all of them or none, and who is under way goes on with those it began with.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{InputGate, OutputGate, rules::Pack};

/// Where both gates of every new request come from.
#[derive(Debug)]
pub struct Rules {
    pack: ArcSwap<Pack>,
}

/// Both gates, of one state of the rules: a request that begins with one keeps it to its end.
#[derive(Debug, Clone)]
pub struct Gates {
    /// 1
    pub input: InputGate,
    /// 4
    pub output: OutputGate,
}

impl Rules {
    /// Begins with a pack.
    pub fn new(pack: Pack) -> Self {
        Self { pack: ArcSwap::from_pointee(pack) }
    }

    /// Both gates as they are now.
    pub fn gates(&self) -> Gates {
        let pack = self.pack.load_full();
        Gates { input: InputGate::new(Arc::clone(&pack)), output: OutputGate::new(pack) }
    }

    /// Puts another pack in place for the requests that begin from now on.
    pub fn replace(&self, pack: Pack) {
        self.pack.store(Arc::new(pack));
    }
}
