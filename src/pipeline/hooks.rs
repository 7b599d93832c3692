//! The hooks of the targets that a request may go to: most often all have the same.

use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Map, Value};

use super::{Pipeline, Wish, flight::Asked};
use crate::{
    error::{Error, Kind, Result},
    exchange::Exchange,
    guard::{Block, Callouts, Clearing, Errand, HookLists, Hooks, InputGate, Screened, Screening},
    route::{Target, Way},
};

/// What the targets of a way say of hooks.
#[derive(Debug)]
pub(super) struct WayHooks {
    /// Those of the first target first, each once.
    all: Vec<(Arc<Map<String, Value>>, Hooks)>,
    /// Why the first target's refuse, where another target has others.
    denied: Option<Block>,
}

impl Pipeline {
    /// Compiles the hooks of a way, with what the client's headers add.
    pub(super) fn hooks(&self, way: &Way, headers: &HeaderMap) -> Result<WayHooks> {
        let added = HookLists::of_headers(headers).map_err(|problem| refused(&problem.path, &problem))?;
        let mut all: Vec<(Arc<Map<String, Value>>, Hooks)> = Vec::new();
        for target in way.plan.legs.iter().map(|leg| &leg.target) {
            if all.iter().any(|(known, _)| Arc::ptr_eq(known, &target.guardrails)) {
                continue;
            }
            let lists = added.clone().under(&HookLists::of(&target.guardrails));
            let hooks = self.rules.hooks(&lists).map_err(|problem| refused(&target.path, &problem))?;
            all.push((Arc::clone(&target.guardrails), hooks));
        }
        Ok(WayHooks { all, denied: None })
    }
}

fn refused(place: &str, problem: &impl std::fmt::Display) -> Error {
    Error::new(Kind::InvalidConfig, format!("Invalid config passed. In `{place}`, {problem}.")).param(place)
}

impl WayHooks {
    /// Those of the target that is asked first.
    pub(super) fn first(&self) -> Hooks {
        self.all.first().map(|(_, hooks)| hooks.clone()).unwrap_or_default()
    }

    /// Those of a target.
    pub(super) fn of(&self, target: &Target) -> Hooks {
        let own = self.all.iter().find(|(known, _)| Arc::ptr_eq(known, &target.guardrails));
        own.map(|(_, hooks)| hooks.clone()).unwrap_or_default()
    }

    /// What might answer, under these hooks.
    pub(super) fn identity(&self, way: &Way) -> Vec<u8> {
        let prints = self.all.iter().map(|(_, hooks)| hooks.fingerprint()).filter(|print| *print != [0; 16]);
        [way.identity().to_vec(), prints.flatten().collect()].concat()
    }

    /// Has a request judged by the hooks of the first target. If they refuse, and another target has others, it is up to those.
    pub(super) async fn screen(
        &mut self,
        callouts: &Callouts,
        gate: &InputGate,
        screening: Screening,
        headers: &HeaderMap,
        exchange: &mut Exchange,
    ) -> Result<Screening> {
        let Screening::Passed(screened) = screening else { return Ok(screening) };
        let errand = Errand { callouts, headers };
        let judged = self.first().before(gate, Screening::Passed(screened.clone()), errand, exchange).await?;
        match judged {
            Screening::Blocked(block) if self.all.len() > 1 => {
                self.denied = Some(block);
                Ok(Screening::Passed(screened))
            }
            judged => Ok(judged),
        }
    }

    /// A request that its first target may not have is nobody's hit.
    pub(super) fn wish(&self, wish: Wish) -> Wish {
        Wish { no_store: wish.no_store || self.denied.is_some(), ..wish }
    }

    /// Has a request judged by the hooks of the target that it goes to, if that is not done; `None` if it goes as it is.
    pub(super) async fn enter(
        &self,
        callouts: &Callouts,
        asked: &Asked,
        target: &Target,
        exchange: &mut Exchange,
    ) -> Result<Option<Screening>> {
        // What another target's said is nothing to this one.
        exchange.hooks.after.clear();
        if self.all.first().is_none_or(|(first, _)| Arc::ptr_eq(first, &target.guardrails)) {
            return Ok(self.denied.clone().map(Screening::Blocked));
        }
        let errand = Errand { callouts, headers: &asked.passage.headers };
        let screening = Screening::Passed(asked.screened.clone());
        self.of(target).before(&asked.gates.input, screening, errand, exchange).await.map(Some)
    }
}

impl Asked {
    /// Has an answer judged by the hooks of the target that has answered.
    pub(super) async fn judged(
        &self,
        callouts: &Callouts,
        hooks: &Hooks,
        clearing: Clearing,
        screened: &Screened,
        exchange: &mut Exchange,
    ) -> Result<Clearing> {
        let errand = Errand { callouts, headers: &self.passage.headers };
        hooks.after(&self.gates.output, clearing, screened, errand, exchange).await
    }
}
