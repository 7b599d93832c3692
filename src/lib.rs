//! Lockgate: a semantic cache and guardrails sidecar for LLM traffic.

pub mod ingress;
pub mod access;
pub mod cache;
pub mod embed;
pub mod route;
pub mod egress;
pub mod outbound;
pub mod wire;
pub mod ledger;
pub mod console;
pub mod config;
pub mod telemetry;
pub mod diagnostics;
pub mod demo;
pub mod cli;
pub mod clock;
pub mod error;
pub mod exchange;
pub mod guard;
