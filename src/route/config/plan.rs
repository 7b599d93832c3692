//! Which targets of a config a request tries, and in which order: pure, but for whose turn it is.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use super::{Child, Config, Facts, Field, Group, Node, Pick, Strategy, Target, TargetId};
use crate::{
    error::{Error, Kind, Result},
    route::{
        health::{Breaker, Health},
        retry::{Codes, Verdict},
    },
};

/// What a plan depends on beside the config.
#[derive(Debug)]
pub struct Chances<'a> {
    /// The request.
    pub facts: Facts<'a>,
    /// How targets have fared.
    pub health: &'a Health,
    /// Chance: numbers from 0 to 1.
    pub dice: fn() -> f64,
    /// When it is.
    pub now: Instant,
}

/// The targets of a request in the order in which they are tried.
#[derive(Debug, Clone)]
pub struct Plan {
    /// At least one.
    pub legs: Vec<Leg>,
    /// What might answer: part of the cache's scope. The same for all requests that might come to the same targets, whichever they try first.
    pub identity: TargetId,
}

/// A target on the way.
#[derive(Debug, Clone)]
pub struct Leg {
    /// Where it leads.
    pub target: Arc<Target>,
    /// The breaker that watches it.
    pub breaker: Option<Arc<Breaker>>,
    /// Where it goes on from here, innermost level first.
    hops: Vec<Hop>,
}

#[derive(Debug, Clone)]
struct Hop {
    on: Option<Codes>,
    next: usize,
}

impl Leg {
    /// The leg that follows on a verdict, if one does.
    pub fn next(&self, verdict: &Verdict) -> Option<usize> {
        let goes_on = |hop: &&Hop| hop.on.as_ref().map_or(!verdict.is_success(), |codes| verdict.is_in(codes));
        self.hops.iter().find(goes_on).map(|hop| hop.next)
    }
}

impl Config {
    /// Plans the way of a request.
    pub fn plan(&self, chances: &Chances<'_>) -> Result<Plan> {
        let mut planner = Planner { chances, legs: Vec::new(), reachable: Vec::new() };
        planner.visit(&self.root, None, true)?;
        let mut reachable = planner.reachable;
        if let [only] = reachable[..] {
            return Ok(Plan { legs: planner.legs, identity: only });
        }
        reachable.sort_unstable();
        reachable.dedup();
        let mut identity = [0; 16];
        blake3::Hasher::new().update(reachable.as_flattened()).finalize_xof().fill(&mut identity);
        Ok(Plan { legs: planner.legs, identity })
    }
}

struct Planner<'p> {
    chances: &'p Chances<'p>,
    legs: Vec<Leg>,
    reachable: Vec<TargetId>,
}

impl Planner<'_> {
    /// Adds a node's targets. One that is only `reachable` is not tried this time.
    fn visit(&mut self, node: &Node, breaker: Option<&Arc<Breaker>>, tried: bool) -> Result<()> {
        match node {
            Node::Target(target) => {
                self.reachable.push(target.id);
                if tried {
                    self.legs.push(Leg { target: Arc::clone(target), breaker: breaker.cloned(), hops: Vec::new() });
                }
                Ok(())
            }
            Node::Group(group) => self.group(group, group.breaker.as_ref().or(breaker), tried),
        }
    }

    fn group(&mut self, group: &Group, breaker: Option<&Arc<Breaker>>, tried: bool) -> Result<()> {
        let order = self.order(group, breaker)?;
        let on = match &group.strategy {
            Strategy::Fallback(on) => Some(on.clone()),
            Strategy::Balance { on: Some(on), .. } => Some(Some(on.clone())),
            Strategy::Single | Strategy::Balance { on: None, .. } | Strategy::Conditional { .. } => None,
        };
        let last = if on.is_some() { order.len() } else { 1 };
        for (n, &child) in order[..last].iter().enumerate() {
            let start = self.legs.len();
            self.visit(&group.children[child].node, breaker, tried)?;
            let end = self.legs.len();
            if let Some(on) = on.as_ref().filter(|_| n + 1 < last) {
                self.legs[start..end].iter_mut().for_each(|leg| leg.hops.push(Hop { on: on.clone(), next: end }));
            }
        }
        // What chance or a breaker passes over this time may answer the next time.
        if matches!(group.strategy, Strategy::Balance { .. } | Strategy::Fallback(_)) {
            let passed_over = (0..group.children.len()).filter(|child| !order[..last].contains(child));
            passed_over.into_iter().try_for_each(|child| self.visit(&group.children[child].node, breaker, false))?;
        }
        Ok(())
    }

    /// The children of a group, the first to try first.
    fn order(&self, group: &Group, breaker: Option<&Arc<Breaker>>) -> Result<Vec<usize>> {
        let order = match &group.strategy {
            Strategy::Single => vec![0],
            Strategy::Fallback(_) => (0..group.children.len()).collect(),
            Strategy::Balance { pick, sticky, .. } => self.balanced(group, *pick, sticky),
            Strategy::Conditional { branches, default } => {
                let branch = branches.iter().find(|(condition, _)| condition.holds(&self.chances.facts));
                vec![branch.map(|(_, child)| *child).or(*default).ok_or_else(no_branch)?]
            }
        };
        let closed = breaker.map(|breaker| self.without_open(group, breaker, &order));
        Ok(closed.filter(|closed| !closed.is_empty()).unwrap_or(order))
    }

    fn balanced(&self, group: &Group, pick: Pick, sticky: &[Field]) -> Vec<usize> {
        match pick {
            Pick::Weighted => {
                let mut dice = self.stuck(sticky);
                weighted(&group.children, || dice.take().unwrap_or_else(self.chances.dice))
            }
            Pick::RoundRobin => {
                let first = group.turn.fetch_add(1, Ordering::Relaxed);
                (0..group.children.len()).map(|n| (first + n) % group.children.len()).collect()
            }
            Pick::LeastLatency => {
                // One that has not answered yet is worth a try.
                let latency = |&child: &usize| match &group.children[child].node {
                    Node::Target(target) => self.chances.health.latency(target.id).unwrap_or(0.0),
                    Node::Group(_) => 0.0,
                };
                let mut order: Vec<_> = (0..group.children.len()).collect();
                order.sort_by(|one, other| latency(one).total_cmp(&latency(other)));
                order
            }
        }
    }

    /// A number from 0 to 1 that is the same for all requests with the same values; `None` if none of them is there.
    fn stuck(&self, sticky: &[Field]) -> Option<f64> {
        let mut hasher = blake3::Hasher::new();
        let mut any = false;
        for value in sticky.iter().map(|field| field.of(&self.chances.facts)) {
            any |= value.is_some();
            hasher.update(value.as_deref().unwrap_or_default().as_bytes()).update(&[0]);
        }
        let first: [u8; 4] = *hasher.finalize().as_bytes().first_chunk()?;
        any.then(|| f64::from(u32::from_le_bytes(first)) / f64::from(u32::MAX))
    }

    fn without_open(&self, group: &Group, breaker: &Breaker, order: &[usize]) -> Vec<usize> {
        let is_closed = |child: &&usize| match &group.children[**child].node {
            Node::Target(target) => !self.chances.health.is_open(target.id, breaker, self.chances.now),
            Node::Group(_) => true,
        };
        order.iter().filter(is_closed).copied().collect()
    }
}

/// Each next one is drawn among those that are left, by weight. One without weight is never drawn.
fn weighted(children: &[Child], mut dice: impl FnMut() -> f64) -> Vec<usize> {
    let mut left: Vec<_> = (0..children.len()).filter(|&child| children[child].weight > 0.0).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let sum: f64 = left.iter().map(|&child| children[child].weight).sum();
        let mut point = dice() * sum;
        let drawn = left.iter().position(|&child| {
            point -= children[child].weight;
            point < 0.0
        });
        order.push(left.remove(drawn.unwrap_or(left.len() - 1)));
    }
    order
}

fn no_branch() -> Error {
    let message =
        "Query router did not resolve to any valid target: no condition of the config holds, and it has no `strategy.default`.";
    Error::new(Kind::InvalidConfig, message).param("strategy.conditions")
}
