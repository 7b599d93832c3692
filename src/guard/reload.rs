//! The rules as they are now: a reload puts others in their place, all of them or none, and who is under way goes on with those it began with.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{InputGate, Meaning, OutputGate, Screening, rules::Pack};
use crate::{diagnostics::Report, error::Result, exchange::Exchange, wire::Request};

/// Where both gates of every new request come from.
#[derive(Debug)]
pub struct Rules {
    pack: ArcSwap<Pack>,
    meaning: Meaning,
}

/// Both gates, of one state of the rules: a request that begins with one keeps it to its end.
#[derive(Debug, Clone)]
pub struct Gates {
    /// 1
    pub input: InputGate,
    /// 1, by the vector of what is asked.
    pub meaning: Meaning,
    /// 4
    pub output: OutputGate,
}

impl Rules {
    /// Begins with a pack, whose sentences `meaning` has learnt.
    pub fn new(pack: Pack, meaning: Meaning) -> Self {
        Self { pack: ArcSwap::from_pointee(pack), meaning }
    }

    /// Both gates as they are now.
    pub fn gates(&self) -> Gates {
        let pack = self.pack.load_full();
        Gates { input: InputGate::new(Arc::clone(&pack)), meaning: self.meaning.clone(), output: OutputGate::new(pack) }
    }

    /// Puts another pack in place for the requests that begin from now on, unless its examples belie it.
    pub async fn replace(&self, pack: Pack) -> std::result::Result<(), Vec<Report>> {
        self.meaning.prepare(&pack).await?;
        self.pack.store(Arc::new(pack));
        Ok(())
    }
}

impl Gates {
    /// The input gate: every text that the model would read, then what rules demand to know of its meaning.
    pub async fn screen(&self, request: Request, exchange: &mut Exchange) -> Result<Screening> {
        let screened = match self.input.screen(request, exchange)? {
            Screening::Passed(screened) => screened,
            blocked @ Screening::Blocked(_) => return Ok(blocked),
        };
        let block = self.meaning.screen(&self.input, &screened, exchange).await;
        Ok(block.map_or(Screening::Passed(screened), Screening::Blocked))
    }
}
