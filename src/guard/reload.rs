//! The rules as they are now: a reload puts others in their place, all of them or none, and who is under way goes on with those it began with.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{InputGate, OutputGate, replace::HashKey, rules::Pack};

/// Where both gates of every new request come from.
#[derive(Debug)]
pub struct Rules {
    gates: ArcSwap<Gates>,
    key: HashKey,
}

/// Both gates, of one state of the rules: a request that begins with one keeps it to its end.
#[derive(Debug, Clone)]
pub struct Gates {
    /// 1
    pub input: InputGate,
    /// 4
    pub output: OutputGate,
}

impl Gates {
    /// The gates of a pack, for whoever needs no key.
    pub fn of(pack: Pack) -> Self {
        Self::keyed_by(pack, HashKey::new(&[0; 32]))
    }

    fn keyed_by(pack: Pack, key: HashKey) -> Self {
        Self { input: InputGate::new(Arc::new(pack.input), key), output: OutputGate::new(Arc::new(pack.output), key) }
    }
}

impl Rules {
    /// Begins with a pack. Values are hashed with what is made from the installation's secret.
    pub fn new(pack: Pack, secret: &[u8; 32]) -> Self {
        let key = HashKey::new(secret);
        Self { gates: ArcSwap::from_pointee(Gates::keyed_by(pack, key)), key }
    }

    /// Both gates as they are now.
    pub fn gates(&self) -> Gates {
        Gates::clone(&self.gates.load())
    }

    /// Puts another pack in place for the requests that begin from now on.
    pub fn replace(&self, pack: Pack) {
        self.gates.store(Arc::new(Gates::keyed_by(pack, self.key)));
    }
}
